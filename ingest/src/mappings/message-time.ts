import {
  type Mapping,
  NS_PER_MS,
  parseJsonPath,
  parseTime,
  scaleNumber,
  valueAt,
  zoneOffsets,
} from '@tidemark/core';
import { type Problem, preview } from '../decoders/fields.ts';

/** The time that a message brings, in ns; undefined for none. */
export type ReadTime = (root: unknown) => bigint | undefined | Problem;

const ownNames = ['time', 'timestamp', 'ts'];
const unitsNs = { s: 1_000_000_000n, ms: NS_PER_MS, us: 1000n, ns: 1n };
const withoutZone = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?$/;

/** Where a mapping says nothing of it, the time stands where it does on the platform's own topics. */
export function compileTime(time: Mapping['time']): ReadTime {
  if (time === 'acceptance') return () => undefined;
  if (time === undefined) return readOwnTime;
  const { path, unit, zone } = time;
  const steps = pathOf(path);
  const offsetAt = zone === undefined ? undefined : zoneOffsets(zone);
  return (root) => {
    const value = valueAt(root, steps);
    if (value === undefined || value === null || value === '') return undefined;
    const timeNs = readTime(value, unit, offsetAt);
    return timeNs ?? { reason: 'bad_time', detail: `${path} is no time: ${preview(value)}` };
  };
}

function readOwnTime(root: unknown): bigint | undefined | Problem {
  for (const name of ownNames) {
    const value = valueAt(root, [name]);
    if (value === undefined || value === null || value === '') continue;
    const timeNs = readTime(value, 'auto', undefined);
    const hint = 'the setting time says where the time stands, or that it is that of acceptance';
    return timeNs ?? { reason: 'bad_time', detail: `${name} is no time: ${preview(value)}; ${hint}` };
  }
  return undefined;
}

function readTime(
  value: unknown,
  unit: 'auto' | keyof typeof unitsNs,
  offsetAt: ((timeNs: bigint) => bigint) | undefined,
): bigint | undefined {
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? undefined : BigInt(value.getTime()) * NS_PER_MS;
  if (unit !== 'auto') return readCount(value, unitsNs[unit]);
  const timeNs = parseTime(value);
  const isLocal = offsetAt !== undefined && typeof value === 'string' && withoutZone.test(value.trim());
  if (timeNs === undefined || !isLocal) return timeNs;
  // The offset that holds at the time itself; the first guess is off by it, which matters beside a change of clocks.
  return timeNs - offsetAt(timeNs - offsetAt(timeNs));
}

/** A count of units since 1970, as a number or its text. */
function readCount(value: unknown, unitNs: bigint): bigint | undefined {
  if (typeof value === 'bigint') return value * unitNs;
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof value === 'string' && /^-?\d{16,19}$/.test(value)) return BigInt(value) * unitNs;
  if (typeof number !== 'number' || !Number.isFinite(number)) return undefined;
  return scaleNumber(number, unitNs);
}

function pathOf(text: string): readonly (string | number)[] {
  const path = parseJsonPath(text);
  if (typeof path === 'string') throw new Error(`a path ${path}`);
  return path;
}
