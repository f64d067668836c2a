import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { formatDuration, formatTime, type StorageState, type StoredMeasurement } from '@tidemark/core';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { jsonContent, problems, time } from '../schemas.ts';

const bytes = z.number().int().nullable();

const storageSchema = z
  .object({
    store: z.enum(['embedded', 'influxdb']),
    usedBytes: bytes.openapi({ description: 'Disk that points take; null where the store does not tell.' }),
    freeBytes: z.number().int().openapi({ description: 'Left on the disk of the data folder.' }),
    maxBytes: bytes.openapi({ description: '`retention.maxBytes`; null without a bound.' }),
    oldest: time.nullable().openapi({ description: 'Time of the oldest point; null when there is none.' }),
    nextPurge: time.nullable().openapi({ description: 'When points go by their age; null: none do.' }),
    lastPurge: z
      .object({ time, points: z.number().int() })
      .nullable()
      .openapi({ description: 'The newest since the start that removed something, and how many values.' }),
    measurements: z.array(
      z.object({
        measurement: z.string().openapi({ example: 'readings' }),
        oldest: time,
        maxAge: z
          .string()
          .nullable()
          .openapi({ description: 'How long its points are kept; null: for ever.', example: '365d' }),
        nextPurge: time.nullable().openapi({ description: 'When its oldest points go by their age.' }),
      }),
    ),
  })
  .openapi('Storage');

const route = createRoute({
  method: 'get',
  path: '/api/v1/storage',
  tags: ['Operation'],
  summary: 'How much is stored, since when, and what goes next',
  description: 'Only measurements that hold points are listed, by name. Ages are whole days of UTC.',
  request: { query: z.strictObject({}) },
  responses: {
    200: { description: 'The store', content: jsonContent(storageSchema) },
    ...problems(400, 503),
  },
});

/** `GET /api/v1/storage`. */
export function storage(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  app.openapi(route, async (c) => c.json(toJson(await parts.storage.state()), 200));
}

function toJson(state: StorageState) {
  const { store, usedBytes, freeBytes, maxBytes, measurements, lastPurge } = state;
  return {
    store,
    usedBytes: usedBytes ?? null,
    freeBytes,
    maxBytes: maxBytes ?? null,
    oldest: timeOrNull(earliest(measurements.map(({ oldestNs }) => oldestNs))),
    nextPurge: timeOrNull(earliest(measurements.flatMap(({ nextPurgeNs }) => nextPurgeNs ?? []))),
    lastPurge: lastPurge ? { time: formatTime(lastPurge.timeNs), points: lastPurge.points } : null,
    measurements: measurements.map(measurementToJson),
  };
}

function measurementToJson({ measurement, oldestNs, maxAgeNs, nextPurgeNs }: StoredMeasurement) {
  return {
    measurement,
    oldest: formatTime(oldestNs),
    maxAge: maxAgeNs === undefined ? null : formatDuration(maxAgeNs),
    nextPurge: timeOrNull(nextPurgeNs),
  };
}

function earliest(timesNs: readonly bigint[]): bigint | undefined {
  return timesNs.length === 0 ? undefined : timesNs.reduce((a, b) => (a < b ? a : b));
}

function timeOrNull(timeNs: bigint | undefined): string | null {
  return timeNs === undefined ? null : formatTime(timeNs);
}
