import { z } from 'zod';
import { ruleIdPattern } from './ids.ts';
import { parseJsonPath } from './json-path.ts';
import { namesOf, parseTemplate } from './mapping-template.ts';
import { parseTopicPattern } from './topic-pattern.ts';
import { claimOf } from './topics.ts';
import { parseConversion } from './unit-conversion.ts';

// One mapping, which says how messages on topics of another program are read: what the configuration says of it.

const checked = (problemOf: (text: string) => string | undefined, maxLength = 1000) =>
  z
    .string()
    .max(maxLength)
    .superRefine((text, context) => {
      const problem = problemOf(text);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    });
const problemOf = (read: unknown): string | undefined => (typeof read === 'string' ? read : undefined);

const topic = checked(topicProblem);
const template = checked((text) => problemOf(parseTemplate(text)));
const path = checked((text) => problemOf(parseJsonPath(text)));
const zone = checked((text) => (isTimeZone(text) ? undefined : 'is no IANA time zone such as Europe/Berlin'));
const names = z.array(z.string().min(1).max(256)).max(256);
const bounded = <Value extends z.ZodType>(value: Value) =>
  z
    .record(z.string().min(1).max(1000), value)
    .refine((record) => Object.keys(record).length <= 256, { error: 'has more than 256 entries' });
const conversion = z.union(
  [
    checked((text) => problemOf(parseConversion(text))),
    z.strictObject({ factor: z.number(), offset: z.number().default(0) }),
  ],
  { error: (issue) => conversionProblem(issue.input) },
);
const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** How values are taken from what was read, whatever its format. */
const selection = {
  include: names.optional(),
  exclude: names.optional(),
  rename: bounded(z.string().min(1).max(256)).optional(),
  units: bounded(conversion).optional(),
  texts: bounded(z.union([z.number(), z.boolean()])).optional(),
  numbersAsStrings: z.enum(['text', 'parse', 'refuse']).optional(),
};

const timeAt = z.strictObject({
  path,
  unit: z.enum(['auto', 's', 'ms', 'us', 'ns']).default('auto'),
  zone: zone.optional(),
});
const time = z.union(
  [z.literal('acceptance'), path.transform((text) => timeAt.parse({ path: text })), timeAt],
  {
    error: 'is neither acceptance, nor a path such as $.ts, nor {path, unit, zone}',
  },
);

export const mappingSchema = z
  .strictObject({
    id: z.string().regex(ruleIdPattern, { error: 'must be 1 to 64 letters, digits, dots, dashes or _' }),
    topic,
    format: z.enum(['json', 'csv', 'cbor', 'value', 'lines']).default('json'),
    as: z.enum(['readings', 'travellers']).default('readings'),
    sensor: template.optional(),
    location: template.optional(),
    time: time.optional(),
    when: bounded(z.union([scalar, z.array(scalar).max(256)])).optional(),
    values: path.optional(),
    prefix: template.optional(),
    metrics: bounded(path).optional(),
    metric: template.optional(),
    ...selection,
    csv: z
      .strictObject({
        columns: names.min(1).optional(),
        delimiter: z.string().length(1).default(','),
      })
      .optional(),
    precision: z.enum(['ns', 'us', 'ms', 's', 'm', 'h']).optional(),
    expression: z.string().min(1).max(20_000).optional(),
  })
  .superRefine((mapping, context) => {
    for (const [key, message] of contradictionsOf(mapping))
      context.addIssue({ code: 'custom', path: [key], message });
  });

/** What can be said of a preset beside its name. */
export const presetSettingsSchema = z.strictObject({
  id: z.string().regex(ruleIdPattern).optional(),
  base: z.string().min(1).max(1000).optional(),
  location: template.optional(),
  zone: zone.optional(),
  ...selection,
});

/** One mapping, as it is applied. */
export type Mapping = z.output<typeof mappingSchema>;
export type MappingInput = z.input<typeof mappingSchema>;
export type PresetSettings = z.output<typeof presetSettingsSchema>;

/** Settings that the others leave nothing to say for, each with its key. */
function contradictionsOf(mapping: z.output<z.ZodObject> & Record<string, unknown>): [string, string][] {
  const problems: [string, string][] = [];
  const given = (key: string): boolean => mapping[key] !== undefined;
  const refuse = (keys: readonly string[], why: string): void => {
    for (const key of keys) if (given(key)) problems.push([key, why]);
  };
  const { format } = mapping;
  const values = ['values', 'prefix', 'metrics', 'include', 'exclude', 'rename'];
  const readings = ['when', 'metric', ...values, 'units', 'texts', 'numbersAsStrings', 'time'];
  if (format !== 'csv') refuse(['csv'], 'is for format csv');
  if (format !== 'lines') refuse(['precision'], 'is for format lines');
  if (format !== 'value') refuse(['metric'], 'is for format value; others take metrics');
  if (format === 'value')
    refuse([...values, 'when', 'time'], 'is not for format value, which holds one value');
  if (format === 'lines')
    refuse(
      ['sensor', 'location', 'expression', ...readings],
      'is not for format lines, which says it itself',
    );
  if (mapping.as === 'travellers') {
    refuse(['location'], 'is not for travellers, who are where their camera is');
    if (format === 'value' || format === 'lines')
      problems.push(['as', `is not for format ${format}: a position has several values`]);
  }
  if (given('expression')) refuse(readings, 'is what the expression answers');
  return [...problems, ...nameProblems(mapping)];
}

/** Placeholders that the topic has not, and sensors and metrics that nobody names. */
function nameProblems(mapping: Record<string, unknown>): [string, string][] {
  const pattern = parseTopicPattern(String(mapping.topic));
  if (typeof pattern === 'string') return [];
  const problems: [string, string][] = [];
  const metrics = Object.keys((mapping.metrics as object | undefined) ?? {});
  const templates = ['sensor', 'location', 'metric', 'prefix'].flatMap((key) =>
    typeof mapping[key] === 'string' ? [[key, mapping[key]] as const] : [],
  );
  for (const [key, text] of [...templates, ...metrics.map((metric) => ['metrics', metric] as const)]) {
    const read = parseTemplate(text);
    const missing =
      typeof read === 'string' ? [] : namesOf(read).filter((name) => !pattern.names.includes(name));
    if (typeof read === 'string') problems.push([key, read]);
    else if (missing.length > 0) problems.push([key, `the topic has no {${missing[0]}}`]);
  }
  const isNamed = (key: string): boolean => mapping[key] !== undefined || pattern.names.includes(key);
  const { format, expression } = mapping;
  if (format !== 'lines' && expression === undefined && !isNamed('sensor'))
    problems.push(['sensor', 'is missing, and the topic has no {sensor}']);
  if (format === 'value' && expression === undefined && !isNamed('metric'))
    problems.push(['metric', 'is missing, and the topic has no {metric}']);
  return problems;
}

function topicProblem(text: string): string | undefined {
  const pattern = parseTopicPattern(text);
  if (typeof pattern === 'string') return pattern;
  const { kind } = claimOf(pattern.filter);
  if (kind !== 'other') return 'is one of the topics that the platform reads, or publishes on, itself';
  return undefined;
}

function conversionProblem(input: unknown): string {
  const problem = typeof input === 'string' ? problemOf(parseConversion(input)) : undefined;
  return problem ?? 'is neither a conversion such as °F → °C nor {factor, offset}';
}

function isTimeZone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }) !== undefined;
  } catch {
    return false;
  }
}
