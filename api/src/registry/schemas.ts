import { z } from '@hono/zod-openapi';
import { sensorStates } from '@tidemark/core';
import { time } from '../schemas.ts';

const metricSchema = z.object({
  unit: z.string().optional().openapi({ example: '°C' }),
  min: z.number().optional().openapi({ description: 'Least plausible value, inclusive.', example: -20 }),
  max: z.number().optional().openapi({ description: 'Greatest plausible value, inclusive.', example: 60 }),
  derived: z.boolean().optional().openapi({ description: 'True when the platform computes it from others.' }),
});

/** Members that may be declared; all may be left out, and null is the same as absent. */
const declaration = {
  kind: z.string().nullish().openapi({ description: 'What it is.', example: 'thermometer' }),
  metrics: z
    .record(z.string(), metricSchema)
    .optional()
    .openapi({
      description: 'Its metrics by name; those that it reports appear by themselves.',
      example: { temperature: { unit: '°C', min: -20, max: 60 } },
    }),
  location: z.string().nullish().openapi({
    description: 'Where it is; a registered location. Written, it is a move: from now on, or from `since`.',
    example: 'north-hall',
  }),
  locationHistory: z
    .array(z.object({ location: z.string().nullable(), from: z.string() }))
    .optional()
    .openapi({
      description: 'Where it was declared to be, oldest first, each until the next begins.',
      example: [{ location: 'north-hall', from: '2026-05-01T12:00:00Z' }],
    }),
  expectedInterval: z
    .string()
    .nullish()
    .openapi({ description: 'How often it should report.', example: '30s' }),
  owner: z
    .string()
    .nullish()
    .openapi({ description: 'Who is told when it fails.', example: 'facility@example.org' }),
  labels: z
    .record(z.string(), z.string())
    .optional()
    .openapi({ example: { floor: '2' } }),
  state: z
    .enum(sensorStates)
    .optional()
    .openapi({ description: '`active` unless said otherwise. A retired sensor is still stored.' }),
  timeFrom: z
    .enum(['device', 'server'])
    .optional()
    .openapi({ description: '`server`: its clock is not trusted; readings get the time of acceptance.' }),
};

const since = z
  .string()
  .nullish()
  .openapi({ description: 'When `location` began; later stays go.', example: '2026-05-01T12:00:00Z' });
const id = z.string().openapi({ example: 'greenhouse-1' });

export const newSensorSchema = z.object({ id, ...declaration, since }).openapi('NewSensor');
export const sensorPatchSchema = z.object({ ...declaration, since }).openapi('SensorDeclaration');
export const sensorSchema = z
  .object({
    id,
    ...declaration,
    selfRegistered: z.boolean().openapi({ description: 'True when nobody declared it.' }),
    formerIds: z
      .array(z.string())
      .openapi({ description: 'Ids before renames; its device may use them.', example: ['gh1'] }),
    firstSeen: time.optional().openapi({ description: 'Time of its oldest reading; not in lists.' }),
    lastSeen: time.optional().openapi({ description: 'Time of its newest reading, if there is one.' }),
    rename: z
      .object({
        to: id,
        state: z.enum(['waiting', 'refused']),
        reason: z.string().nullable().openapi({ example: 'the store has data of "greenhouse-1" already' }),
      })
      .optional()
      .openapi({
        description:
          'A rename that is tried until the store takes it (`waiting`), or that the store refused since the start of ' +
          'the platform (`refused`: the sensor keeps its id, and nothing has changed). Not in lists.',
      }),
    createdAt: time,
    updatedAt: time,
  })
  .openapi('Sensor');

const place = {
  name: z.string().nullish().openapi({ description: 'The id unless given.', example: 'North hall' }),
  latitude: z.number().nullish().openapi({ description: 'WGS 84, -90 to 90.', example: 52.52 }),
  longitude: z.number().nullish().openapi({ description: 'WGS 84, -180 to 180.', example: 13.405 }),
  parent: z.string().nullish().openapi({ description: 'The location that it lies in.', example: 'site-1' }),
};
const locationId = z.string().openapi({ example: 'north-hall' });

export const newLocationSchema = z.object({ id: locationId, ...place }).openapi('NewLocation');
export const locationPatchSchema = z.object(place).openapi('LocationDeclaration');
export const locationSchema = z
  .object({
    id: locationId,
    ...place,
    selfRegistered: z.boolean().openapi({ description: "True when a sensor's message named it." }),
    createdAt: time,
    updatedAt: time,
  })
  .openapi('Location');
