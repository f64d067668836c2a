import { z } from '@hono/zod-openapi';
import {
  formatTime,
  type Issue,
  knownLocation,
  locationAt,
  type MetricDeclaration,
  type Sensor,
  type SensorDirectory,
  type Stay,
  sensorStates,
  type UnfinishedRename,
} from '@tidemark/core';
import { bareRecord } from '@tidemark/store';
import { issuesOf } from '../problem.ts';
import {
  idMember,
  intervalMember,
  intervalText,
  namedMember,
  numberMember,
  readOnlyIssues,
  textMember,
  timeMember,
} from './members.ts';
import { isObject } from './merge-patch.ts';

/** Far more moves than things make; each stay is looked at by readings that are that late. */
const MAX_STAYS = 1000;
const MAX_LABELS = 64;
const MAX_METRICS = 10_000;

const metricInput = z
  .strictObject({
    unit: textMember(32).nullish(),
    min: numberMember().nullish(),
    max: numberMember().nullish(),
    derived: z.boolean().nullish(),
  })
  .superRefine(({ min, max }, c) => {
    if (typeof min === 'number' && typeof max === 'number' && min > max)
      c.addIssue({ code: 'custom', path: ['min'], message: 'is greater than max' });
  })
  .transform(
    ({ unit, min, max, derived }): MetricDeclaration => ({
      ...(typeof unit === 'string' && { unit }),
      ...(typeof min === 'number' && { min }),
      ...(typeof max === 'number' && { max }),
      ...(derived === true && { derived }),
    }),
  );

const historyInput = z
  .array(z.strictObject({ location: idMember.nullable(), from: timeMember }))
  .max(MAX_STAYS, `holds more than ${MAX_STAYS} stays`)
  .superRefine((stays, c) => {
    for (const [index, { from }] of stays.entries()) {
      const before = stays[index - 1]?.from;
      if (before !== undefined && typeof from === 'bigint' && typeof before === 'bigint' && from <= before)
        c.addIssue({ code: 'custom', path: [index, 'from'], message: 'is not after the stay before' });
    }
  });

/** What may be declared of a sensor. */
const sensorInput = z.strictObject({
  id: idMember.optional(),
  kind: textMember(128).nullish(),
  metrics: namedMember<MetricDeclaration>(metricInput, MAX_METRICS).nullish(),
  location: idMember.nullish(),
  since: timeMember.nullish(),
  locationHistory: historyInput.nullish(),
  expectedInterval: intervalMember.nullish(),
  owner: textMember(256).nullish(),
  labels: namedMember(textMember(256), MAX_LABELS).nullish(),
  state: z.enum(sensorStates, `must be one of ${sensorStates.join(', ')}`).nullish(),
  timeFrom: z.enum(['device', 'server'], 'must be device or server').nullish(),
});
type SensorInput = z.output<typeof sensorInput>;

/** Members that only the platform sets. What changes by itself is never compared. */
const readOnly = ['selfRegistered', 'formerIds', 'createdAt', 'updatedAt'];
const observed = ['firstSeen', 'lastSeen', 'rename'];

interface SensorContext {
  id: string;
  /** The sensor as it is; undefined for a new one. */
  existing: Sensor | undefined;
  /** True when a location without a time means that it was always there, false when it means from now on. */
  isNew: boolean;
  directory: Pick<SensorDirectory, 'location'>;
  nowNs: bigint;
  maxMetrics: number;
}

/** The sensor that a document declares, or all that is wrong with it. */
export function readSensor(body: unknown, context: SensorContext): Sensor | Issue[] {
  if (!isObject(body)) return [{ path: '', message: 'a sensor is an object' }];
  const { existing, nowNs, id } = context;
  const rest = Object.fromEntries(
    Object.entries(body).filter(([name]) => !readOnly.includes(name) && !observed.includes(name)),
  );
  const parsed = sensorInput.safeParse(rest);
  const issues = [
    ...(parsed.success ? [] : issuesOf(parsed.error, 'no such member')),
    ...readOnlyIssues(body, existing && sensorToJson(existing, nowNs), readOnly),
    ...referenceIssues(body, context),
  ];
  if (typeof body.id === 'string' && body.id !== id)
    issues.push({ path: 'id', message: `is not ${id}; another id is given by POST …/rename` });
  if (!parsed.success || issues.length > 0) return issues;
  const input = parsed.data;
  const stays = staysOf(input, context);
  const metrics = input.metrics ?? [];
  if (metrics.length > context.maxMetrics)
    issues.push({ path: 'metrics', message: `has more than ${context.maxMetrics} metrics` });
  if (stays.length > MAX_STAYS)
    issues.push({ path: 'location', message: `has moved ${MAX_STAYS} times; shorten locationHistory` });
  if (input.since && input.location === undefined)
    issues.push({ path: 'since', message: 'says when a location began; give location too' });
  return issues.length > 0 ? issues : sensorOf(input, stays, context);
}

function sensorOf(
  input: SensorInput,
  stays: readonly Stay[],
  { id, existing, nowNs }: SensorContext,
): Sensor {
  return {
    id,
    kind: input.kind ?? undefined,
    metrics: bareRecord(input.metrics ?? []),
    stays,
    reportedLocation: existing?.reportedLocation,
    formerIds: existing?.formerIds ?? [],
    expectedIntervalMs: input.expectedInterval ?? undefined,
    owner: input.owner ?? undefined,
    labels: bareRecord(input.labels ?? []),
    state: input.state ?? 'active',
    timeFrom: input.timeFrom ?? 'device',
    isSelfRegistered: false,
    createdNs: existing?.createdNs ?? nowNs,
    updatedNs: nowNs,
    version: (existing?.version ?? 0) + 1,
  };
}

/** The history given or kept, and the move that `location` is when it names another place or says since when. */
function staysOf(input: SensorInput, { existing, isNew, nowNs }: SensorContext): readonly Stay[] {
  const given = input.locationHistory?.map(({ location, from }) => ({
    location: location ?? undefined,
    fromNs: from,
  }));
  const stays = given ?? existing?.stays ?? [];
  if (input.location === undefined) return stays;
  const location = input.location ?? undefined;
  const sinceNs = input.since ?? undefined;
  if (sinceNs === undefined && locationAt({ stays }, nowNs) === location) return stays;
  const fromNs = sinceNs ?? (isNew && stays.length === 0 ? 0n : nowNs);
  const before = stays.filter((stay) => stay.fromNs < fromNs);
  return before.at(-1)?.location === location ? before : [...before, { location, fromNs }];
}

/** Locations that are named and not registered; looked for in whatever else is wrong, so that all is told at once. */
function referenceIssues(body: Record<string, unknown>, { directory }: SensorContext): Issue[] {
  const history = Array.isArray(body.locationHistory) ? body.locationHistory : [];
  const named: [path: string, id: unknown][] = [
    ['location', body.location],
    ...history.map((stay, index): [string, unknown] => [
      `locationHistory.${index}.location`,
      isObject(stay) ? stay.location : undefined,
    ]),
  ];
  return named
    .filter(([, id]) => typeof id === 'string' && idMember.safeParse(id).success)
    .filter(([, id]) => directory.location(id as string) === undefined)
    .map(([path, id]) => ({ path, message: `no location ${id} is registered; create it first` }));
}

/** When the store has its first and last reading. */
export interface Seen {
  firstNs?: bigint | undefined;
  lastNs?: bigint | undefined;
}

/** What is observed of a sensor, and nobody declared. */
interface Observed extends Seen {
  rename?: UnfinishedRename | undefined;
}

/** A sensor as the API shows it. */
export function sensorToJson(sensor: Sensor, nowNs: bigint, { firstNs, lastNs, rename }: Observed = {}) {
  return {
    ...sensorDeclaration(sensor),
    location: knownLocation(sensor, nowNs) ?? null,
    selfRegistered: sensor.isSelfRegistered,
    formerIds: [...sensor.formerIds],
    ...(firstNs !== undefined && { firstSeen: formatTime(firstNs) }),
    ...(lastNs !== undefined && { lastSeen: formatTime(lastNs) }),
    ...(rename !== undefined && { rename: { ...rename, reason: rename.reason ?? null } }),
    createdAt: formatTime(sensor.createdNs),
    updatedAt: formatTime(sensor.updatedNs),
  };
}

/** What people declared of a sensor: what a patch changes. */
export function sensorDeclaration(sensor: Sensor) {
  return {
    id: sensor.id,
    kind: sensor.kind ?? null,
    metrics: sensor.metrics,
    locationHistory: sensor.stays.map(({ location, fromNs }) => ({
      location: location ?? null,
      from: formatTime(fromNs),
    })),
    expectedInterval: intervalText(sensor.expectedIntervalMs),
    owner: sensor.owner ?? null,
    labels: sensor.labels,
    state: sensor.state,
    timeFrom: sensor.timeFrom,
  };
}
