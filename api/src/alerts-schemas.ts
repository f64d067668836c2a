import { z } from '@hono/zod-openapi';
import { type Alert, alertSources, alertStates, alertToJson, formatTime, severities } from '@tidemark/core';
import { time } from './schemas.ts';

const duration = (example: string) => z.string().optional().openapi({ example });
const pair = z.array(z.number()).optional();

const ruleMembers = {
  metric: z.string().optional().openapi({ example: 'temperature' }),
  sensors: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .openapi({ description: 'Ids of sensors, `*` for any text; all unless set.', example: 'greenhouse-*' }),
  location: z
    .string()
    .optional()
    .openapi({ description: 'Sensors that are there, or in a location within.', example: 'north-hall' }),
  labels: z
    .record(z.string(), z.string())
    .optional()
    .openapi({ description: 'Labels that the sensor must have.', example: { floor: '2' } }),
  above: z.number().optional().openapi({ description: 'Fires above it.', example: 30 }),
  below: z.number().optional().openapi({ description: 'Fires below it.' }),
  inside: pair.openapi({ description: 'Fires within these two values, both included.', example: [10, 20] }),
  outside: pair.openapi({ description: 'Fires outside of these two values.', example: [5, 30] }),
  rate: z
    .object({ above: z.number().optional(), below: z.number().optional(), per: z.string() })
    .optional()
    .openapi({ description: 'Fires for a change between two readings.', example: { above: 5, per: '1m' } }),
  absent: duration('10m').openapi({ description: 'Fires when nothing was accepted for so long.' }),
  stuck: duration('1h').openapi({ description: 'Fires when the value has been the same for so long.' }),
  quality: z
    .union([
      z.string(),
      z.array(z.string()),
      z.object({ checks: z.union([z.string(), z.array(z.string())]), within: z.string() }),
    ])
    .optional()
    .openapi({ description: 'Fires when one of these checks fails; `any` is each.', example: ['range'] }),
  clear: z
    .union([z.number(), z.array(z.number())])
    .optional()
    .openapi({ description: 'Hysteresis: where a firing alert ends.', example: 28 }),
  for: duration('2m').openapi({ description: 'Held so long before it fires, in event time.' }),
  severity: z.enum(severities).optional(),
  message: z.string().optional().openapi({
    description: 'With `{sensor}`, `{metric}`, `{value}`, `{rule}`, `{location}`, `{severity}`.',
    example: '{sensor} is at {value} °C',
  }),
  notify: z
    .array(z.string())
    .optional()
    .openapi({ description: 'Who is notified.', example: ['ops'] }),
  notifyWithin: duration('10m').openapi({
    description: 'Nobody is notified about readings that were older on acceptance.',
  }),
  enabled: z.boolean().optional(),
};

const id = z.string().openapi({ example: 'too-hot' });

export const newRuleSchema = z.object({ id, ...ruleMembers }).openapi('NewRule');
export const rulePatchSchema = z.object({ id: id.optional(), ...ruleMembers }).openapi('RulePatch');
export const ruleSchema = z
  .object({
    id,
    ...ruleMembers,
    source: z
      .enum(['api', 'file'])
      .openapi({ description: '`file`: changed in the configuration file alone.' }),
    created: time,
    updated: time,
  })
  .openapi('Rule');

const issueList = z
  .array(z.object({ path: z.string(), message: z.string() }))
  .openapi({ example: [{ path: 'clear', message: 'must not be above 30, where the alert begins' }] });
export const validationSchema = z
  .object({ errors: issueList, warnings: issueList.openapi({ example: [] }) })
  .openapi('RuleValidation');

export const dryRunSchema = z
  .object({
    readings: z.number().int().openapi({ description: 'Readings in its scope.', example: 2880 }),
    firings: z.number().int().openapi({ description: 'How often it would have fired.', example: 3 }),
    sensors: z.array(
      z.object({
        sensor: z.string(),
        firings: z.number().int(),
        firingSeconds: z.number(),
        first: time,
        last: time,
      }),
    ),
    cutOff: time.nullable().openapi({
      description: 'Where it ended, when there were too many readings; else null.',
      example: null,
    }),
  })
  .openapi('RuleDryRun');

const shown = {
  id: z.string().openapi({ description: '`<rule>:<sensor>`.', example: 'too-hot:greenhouse-1' }),
  rule: z.string().openapi({ example: 'too-hot' }),
  sensor: z.string().openapi({ example: 'greenhouse-1' }),
  metric: z.string().nullable().openapi({ example: 'temperature' }),
  state: z.enum(alertStates),
  value: z.number().nullable().openapi({ example: 31.5 }),
  since: time.openapi({ description: 'Since when the condition holds, in event time.' }),
  severity: z.enum(severities),
  message: z.string().openapi({ example: 'greenhouse-1 is at 31.5 °C' }),
};

export const alertSchema = z
  .object({
    ...shown,
    source: z.enum(alertSources).openapi({
      description: 'Who says so: a rule, Grafana by its webhook, or a program by `POST /api/v1/alerts`.',
    }),
    isCurrent: z
      .boolean()
      .openapi({ description: 'False while only readings too old to notify about speak for it.' }),
    acknowledged: z
      .object({ by: z.string(), comment: z.string().nullable(), time })
      .nullable()
      .openapi({ example: null }),
  })
  .openapi('Alert');

/** An alert as the API shows it. */
export function alertToBody(alert: Alert) {
  const { source, isCurrent, acknowledged } = alert;
  return {
    ...alertToJson(alert),
    source,
    isCurrent,
    acknowledged: acknowledged
      ? {
          by: acknowledged.by,
          comment: acknowledged.comment ?? null,
          time: formatTime(acknowledged.timeNs),
        }
      : null,
  };
}

export const transitionSchema = z
  .object({
    ...shown,
    number: z.number().int().openapi({ description: 'Grows from one to the next.', example: 17 }),
    key: z.string().openapi({ description: 'The same whenever this change is told: act on it once.' }),
    time: time.openapi({ description: 'Of the reading that brought it, else of the clock.' }),
    recorded: time,
    by: z.string().nullable().openapi({ description: 'Who did it, where somebody did.', example: null }),
    comment: z.string().nullable().openapi({ example: null }),
    isCurrent: z.boolean(),
    notifies: z.boolean().openapi({ description: 'True when those in `notify` are told.' }),
  })
  .openapi('AlertTransition');

export const silenceSchema = z
  .object({
    id: z.string().openapi({ example: '3' }),
    rule: z.string().nullable(),
    sensor: z.string().nullable().openapi({ example: 'greenhouse-*' }),
    severity: z.enum(severities).nullable(),
    until: time,
    created: time,
    by: z.string().openapi({ example: 'ann' }),
    comment: z.string().nullable().openapi({ example: 'the roof is repaired' }),
  })
  .openapi('Silence');
