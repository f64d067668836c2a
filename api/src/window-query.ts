import {
  type Fill,
  NS_PER_DAY,
  NS_PER_SECOND,
  parseDuration,
  parseWindowFunction,
  type WindowFunction,
  type WindowTag,
  windowFunctions,
} from '@tidemark/core';
import type { WindowsQuery } from '@tidemark/store';
import { invalidFields } from './problem.ts';

const defaultFunctions: WindowFunction[] = ['count', 'min', 'mean', 'max'];
/** How much is asked for where nothing says since when. */
export const defaultWindowRangeNs = 3600n * NS_PER_SECOND;
const mostDefaultWindows = 500n;
// Lengths that people read easily; the shortest that keeps to the number of windows is chosen.
const lengthsNs = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200]
  .map((seconds) => BigInt(seconds) * NS_PER_SECOND)
  .concat([1n, 2n, 7n, 14n, 28n, 91n, 364n, 3640n].map((days) => days * NS_PER_DAY));

/** How windows are asked for, in users' words. */
interface WindowWords {
  every: string | undefined;
  fn: readonly string[] | undefined;
  by: readonly string[];
  fill: string;
  tz: string | undefined;
}

/** What the words mean; throws `bad_request` that names the one at fault. */
export function toWindowOptions(
  { every, fn, by, fill, tz }: WindowWords,
  times: { fromNs: bigint; toNs: bigint },
): Pick<WindowsQuery, 'everyNs' | 'timeZone' | 'functions' | 'by' | 'fill'> {
  return {
    everyNs: every === undefined ? defaultEveryNs(times) : readEvery(every),
    timeZone: tz === undefined ? undefined : readZone(tz),
    functions: fn === undefined ? defaultFunctions : readFunctions(fn),
    by: readTags(by),
    fill: readFill(fill),
  };
}

/** The shortest readable length that cuts the range into at most 500 windows. */
function defaultEveryNs({ fromNs, toNs }: { fromNs: bigint; toNs: bigint }): bigint {
  const rangeNs = toNs - fromNs;
  return lengthsNs.find((lengthNs) => rangeNs <= lengthNs * mostDefaultWindows) ?? lengthsNs.at(-1)!;
}

function readEvery(text: string): bigint {
  const everyNs = parseDuration(text);
  if (everyNs !== undefined) return everyNs;
  throw invalidFields([{ path: 'every', message: 'is no duration; write 90s, 5m, 1h30m or 1d' }]);
}

function readFunctions(names: readonly string[]): WindowFunction[] {
  const known = names.map((name) => parseWindowFunction(name));
  const unknown = names.filter((_name, index) => known[index] === undefined);
  if (unknown.length > 0) {
    const choices = `${windowFunctions.join(', ')} or p1 to p99.9`;
    throw invalidFields([{ path: 'fn', message: `${JSON.stringify(unknown[0])} is none of ${choices}` }]);
  }
  return [...new Set(known.filter((fn) => fn !== undefined))];
}

function readTags(names: readonly string[]): WindowTag[] {
  const unknown = names.find((name) => name !== 'metric' && !isTag(name));
  if (unknown !== undefined) {
    throw invalidFields([
      { path: 'by', message: `${JSON.stringify(unknown)} is none of sensor, location and metric` },
    ]);
  }
  return [...new Set(names.filter(isTag))];
}

function isTag(name: string): name is WindowTag {
  return name === 'sensor' || name === 'location';
}

function readFill(text: string): Fill {
  if (text === 'none' || text === 'null' || text === 'previous' || text === 'linear') return text;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw invalidFields([{ path: 'fill', message: 'is none of none, null, previous, linear or a number' }]);
}

function readZone(name: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    throw invalidFields([{ path: 'tz', message: `${JSON.stringify(name)} is no IANA time zone` }]);
  }
}
