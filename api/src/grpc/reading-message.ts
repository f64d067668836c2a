import {
  formatTime,
  type Issue,
  idProblem,
  type MetricValue,
  parseReadingId,
  type Reading,
  readingId,
} from '@tidemark/core';
import type { ReadingFilter } from '@tidemark/store';
import { invalidFields } from '../problem.ts';
import { clampTime, MAX_TIME_NS, MIN_TIME_NS } from '../query.ts';
import type {
  ReadingFilter as FilterMessage,
  Reading as ReadingMessage,
} from './generated/tidemark/v1/reading.ts';

/** Names that a flat reading uses for itself; `parseTime` reads smaller numbers than this as another unit than ns. */
const ownNames = new Set(['id', 'sensor', 'location', 'time', 'timestamp', 'ts']);
const leastPlainNs = 5_000_000_000_000_000n;

/** A reading as the acceptor takes it, flat; `problem` where one object cannot say what the message does. */
export interface GivenReading {
  item: Record<string, unknown>;
  problem: string | undefined;
}

/** Makes the flat reading of a message. One with a problem is given so that it is refused, and can be seen whole. */
export function toItem(message: ReadingMessage): GivenReading {
  const { sensor, location, timeNs, values, texts } = message;
  // Without a prototype: `__proto__` is a metric like any other.
  const item: Record<string, unknown> = Object.create(null);
  item.sensor = sensor;
  if (location !== undefined) item.location = location;
  if (timeNs !== undefined) item.time = timeNs >= leastPlainNs ? timeNs : formatTime(timeNs);
  const problem = addValues(item, values) ?? (texts.size > 0 ? addValues(item, texts) : undefined);
  if (problem === undefined) return { item, problem };
  const whole = { sensor, location, values: Object.fromEntries(values), texts: Object.fromEntries(texts) };
  return { item: whole, problem };
}

function addValues(
  item: Record<string, unknown>,
  values: ReadonlyMap<string, MetricValue>,
): string | undefined {
  for (const [name, value] of values) {
    if (ownNames.has(name)) return `${name} is a name that a reading uses for itself`;
    if (name in item) return `${name} is given as a number and as text`;
    item[name] = value;
  }
  return undefined;
}

/** A stored reading as a message. */
export function toReadingMessage({ sensor, location, timeNs, values }: Reading): ReadingMessage {
  const numbers = new Map<string, number>();
  let texts = noTexts;
  for (const [metric, value] of values) {
    if (typeof value !== 'string') numbers.set(metric, Number(value));
    else texts = (texts === noTexts ? new Map<string, string>() : texts).set(metric, value);
  }
  return { id: readingId(sensor, timeNs), sensor, location, timeNs, values: numbers, texts };
}

const noTexts = new Map<string, string>();

/** Which readings; throws `bad_request` for names that are no ids, with the path of each. */
export function toReadingFilter(filter: FilterMessage | undefined): ReadingFilter {
  if (filter === undefined) return {};
  const { sensors, locations, metrics } = filter;
  const issues = Object.entries({ sensors, locations, metrics }).flatMap(([list, ids]) =>
    ids.flatMap((id, index): Issue[] => {
      const problem = idProblem(id);
      return problem === undefined ? [] : [{ path: `filter.${list}[${index}]`, message: problem }];
    }),
  );
  if (issues.length > 0) throw invalidFields(issues);
  return { sensors, locations, metrics };
}

/** The range of a filter, `toNs` exclusive; throws `bad_request` when it ends before it starts. */
export function toTimeRange(
  filter: FilterMessage | undefined,
  defaults = { fromNs: (_toNs: bigint) => MIN_TIME_NS, toNs: MAX_TIME_NS },
): { fromNs: bigint; toNs: bigint } {
  const toNs = clampTime(filter?.toNs ?? defaults.toNs);
  const fromNs = clampTime(filter?.fromNs ?? defaults.fromNs(toNs));
  if (fromNs >= toNs) throw invalidFields([{ path: 'filter.from_ns', message: 'must be before to_ns' }]);
  return { fromNs, toNs };
}

/** The parts of a reading's id; throws `bad_request` when it is none. */
export function readReadingId(id: string): { sensor: string; timeNs: bigint } {
  const parts = parseReadingId(id);
  if (parts !== undefined && idProblem(parts.sensor) === undefined) return parts;
  throw invalidFields([{ path: 'id', message: 'must be <sensor>@<time in ns>' }]);
}
