import type { MetricValue } from '@tidemark/core';
import {
  type Decoded,
  type DraftReading,
  decodedReadings,
  type Fault,
  type Limits,
  onlyFault,
} from '../decoded.ts';
import { byReason, decodeFields, isOwnKey } from '../fields.ts';
import type { Definition, DeviceMetrics } from './births.ts';
import { type Metric, Payload } from './generated/sparkplug_b.ts';
import { storedValue } from './values.ts';

const MS_IN_NS = 1_000_000n;
/** What values of a metric say of themselves where neither message nor birth does: Float, Double, Boolean, String. */
const datatypeOfCase = { floatValue: 9, doubleValue: 10, booleanValue: 11, stringValue: 12 } as const;

type Problem = Pick<Fault, 'reason' | 'detail'>;

/** Why a metric is no value to store. */
type UnstoredCause = 'null' | 'transient' | 'control';

/** Metrics of one time, as many as a reading may have. */
interface Group {
  timeNs: bigint | undefined;
  metrics: Metric[];
  values: Map<string, MetricValue>;
  /** Names as they came, by the name that they are stored under. */
  cameAs: Map<string, string>;
  problems: Problem[];
}

interface ReadOptions {
  sensor: string;
  limits: Limits;
  /** What a birth said of the metrics. */
  known: DeviceMetrics | undefined;
  onUnstored: (cause: UnstoredCause) => void;
}

/** The readings of a message: the metrics of one time are one, or several where they are too many. */
export function readingsOf(payload: Payload, { sensor, limits, known, onUnstored }: ReadOptions): Decoded {
  const { metrics, timestamp } = payload;
  const { maxReadingsPerMessage, maxFieldsPerReading } = limits;
  if (metrics.length > maxReadingsPerMessage * maxFieldsPerReading)
    return onlyFault('too_many_readings', `${metrics.length} metrics in a message`, sensor);
  const open = new Map<bigint | undefined, Group>();
  const groups: Group[] = [];
  for (const metric of metrics) {
    const timeNs = timeOf(metric.timestamp ?? timestamp);
    let group = open.get(timeNs);
    if (group === undefined || group.metrics.length >= maxFieldsPerReading) {
      group = { timeNs, metrics: [], values: new Map(), cameAs: new Map(), problems: [] };
      open.set(timeNs, group);
      groups.push(group);
    }
    addTo(group, metric, known, onUnstored);
  }
  if (groups.length > maxReadingsPerMessage) {
    const detail = `${groups.length} readings; the limit is ${maxReadingsPerMessage}`;
    return onlyFault('too_many_readings', detail, sensor);
  }
  const faults: Fault[] = [];
  const readings: DraftReading[] = [];
  groups.forEach((group, index) => {
    // Refused, a part of a message is kept as a message of its own.
    const raw =
      groups.length === 1 ? undefined : () => Payload.encode({ timestamp, metrics: group.metrics }).finish();
    for (const problem of byReason(group.problems)) faults.push({ index, ...problem, sensor, raw });
    if (group.values.size === 0) return;
    const object: Record<string, MetricValue> = Object.create(null);
    for (const [name, value] of group.values) object[name] = value;
    const reading = decodeFields(object, sensor, index, raw, limits, faults);
    if (reading !== undefined) readings.push({ ...reading, timeNs: group.timeNs });
  });
  return decodedReadings(readings, faults);
}

function addTo(
  group: Group,
  metric: Metric,
  known: DeviceMetrics | undefined,
  onUnstored: (cause: UnstoredCause) => void,
): void {
  group.metrics.push(metric);
  const found = definitionOf(metric, known);
  if ('reason' in found) {
    group.problems.push(found);
    return;
  }
  const cause = unstoredCause(metric, found.name);
  if (cause !== undefined) {
    onUnstored(cause);
    return;
  }
  const name = metricName(found.name);
  const value = isOwnKey(name)
    ? { reason: 'bad_metric' as const, detail: `${name} is a name that a reading uses for itself` }
    : storedValue(metric, name, found.datatype);
  const before = group.cameAs.get(name);
  if (typeof value === 'object') {
    group.problems.push(value);
  } else if (before !== undefined && before !== found.name) {
    const detail = `${before} and ${found.name} are both stored as ${name}`;
    group.problems.push({ reason: 'bad_metric', detail });
  } else {
    group.cameAs.set(name, found.name);
    group.values.set(name, value);
  }
}

/** Name and data type of a metric, from the message or else from the birth. */
function definitionOf(metric: Metric, known: DeviceMetrics | undefined): Definition | Problem {
  const { alias, value } = metric;
  const isNamed = metric.name !== undefined && metric.name !== '';
  const born = isNamed
    ? known?.byName.get(metric.name!)
    : alias === undefined
      ? undefined
      : known?.byAlias.get(alias);
  if (!isNamed && alias === undefined)
    return { reason: 'bad_metric', detail: 'a metric has neither name nor alias' };
  if (!isNamed && born === undefined)
    return { reason: 'no_birth', detail: `no birth was received that says what alias ${alias} is` };
  const name = isNamed ? metric.name! : born!.name;
  const datatype = metric.datatype ?? born?.datatype ?? inferredType(value?.$case);
  if (datatype !== undefined) return { name, datatype };
  if (metric.isNull === true) return { name, datatype: 0 };
  return { reason: 'no_birth', detail: `no birth was received that says of which data type ${name} is` };
}

function inferredType(kind: string | undefined): number | undefined {
  return kind === undefined ? undefined : datatypeOfCase[kind as keyof typeof datatypeOfCase];
}

/** What the protocol itself needs is nobody's reading. */
function unstoredCause({ isNull, isTransient }: Metric, name: string): UnstoredCause | undefined {
  if (name === 'bdSeq' || /^(Node|Device) Control\//.test(name)) return 'control';
  if (isTransient === true) return 'transient';
  return isNull === true ? 'null' : undefined;
}

/** Levels of a name are parted by dots: `Inputs/A` is stored as `Inputs.A`; `+` and `#` become `_`. */
function metricName(name: string): string {
  return name.replaceAll('/', '.').replaceAll(/[+#]/g, '_');
}

function timeOf(timestampMs: bigint | undefined): bigint | undefined {
  return timestampMs === undefined ? undefined : timestampMs * MS_IN_NS;
}
