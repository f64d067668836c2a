import { TidemarkError } from './errors.ts';

export const NS_PER_MS = 1_000_000n;
export const NS_PER_SECOND = 1_000_000_000n;
export const NS_PER_DAY = 86_400n * NS_PER_SECOND;

const durationUnitsNs: Record<string, bigint> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  ms: NS_PER_MS,
  s: NS_PER_SECOND,
  m: 60n * NS_PER_SECOND,
  h: 3600n * NS_PER_SECOND,
  d: NS_PER_DAY,
  w: 7n * NS_PER_DAY,
};

// RFC 3339 section 5.6, with a space allowed for "T" and a missing zone read as UTC.
const timestampPattern =
  /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:[.,](\d{1,9})\d*)?(?:([Zz])|([+-]\d{2}):?(\d{2}))?$/;
const integerPattern = /^-?\d{1,19}$/;
const decimalPattern = /^-?\d{1,19}\.\d{1,18}$/;
const relativePattern = /^now(?:([+-])(.+))?$/;

/**
 * Reads a point in time as users write it: RFC 3339, `YYYY-MM-DD hh:mm:ss` (UTC), or an integer whose
 * unit follows from its size (< 5e9 s, < 5e12 ms, < 5e15 µs, else ns).
 * Returns nanoseconds since 1970, or undefined when it is none of these.
 */
export function parseTime(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return scaleInteger(value);
  if (typeof value === 'number') return parseNumber(value);
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (integerPattern.test(text)) return scaleInteger(BigInt(text));
  return decimalPattern.test(text) ? parseNumber(Number(text)) : parseTimestamp(text);
}

/** As `parseTime`, and `now`, `now-1h`, `now+5m`. */
export function parseQueryTime(value: unknown, nowNs: bigint): bigint | undefined {
  const relative = typeof value === 'string' ? relativePattern.exec(value.trim()) : null;
  if (relative) {
    const [, sign, rest] = relative;
    if (rest === undefined) return nowNs;
    const offsetNs = parseDuration(rest);
    if (offsetNs !== undefined) return sign === '-' ? nowNs - offsetNs : nowNs + offsetNs;
  }
  return parseTime(value);
}

/** As `parseQueryTime`; throws `bad_request` with the name of the parameter. */
export function parseTimeParameter(name: string, text: string, nowNs: bigint): bigint {
  const timeNs = parseQueryTime(text, nowNs);
  if (timeNs !== undefined) return timeNs;
  const message = `${name} is no time: ${JSON.stringify(text)}; use RFC 3339, an integer, or now-1h`;
  throw new TidemarkError('bad_request', message, { issues: [{ path: name, message: 'not a time' }] });
}

/**
 * A finite count of units as nanoseconds. Its decimals are those that were written: 1680962879.62 s ends in 620 ms, which
 * the double itself only comes close to.
 */
export function scaleNumber(value: number, unitNs: bigint): bigint {
  const wholeNs = BigInt(Math.trunc(value)) * unitNs;
  if (Number.isInteger(value)) return wholeNs;
  const text = String(value);
  const part = text.includes('e') ? Math.abs(value) : Number(text.slice(text.indexOf('.')));
  const partNs = BigInt(Math.round(part * Number(unitNs)));
  return value < 0 ? wholeNs - partNs : wholeNs + partNs;
}

/** `90s`, `5m`, `1h30m`, `1d` as nanoseconds; undefined when it is no duration or is zero. */
export function parseDuration(text: string): bigint | undefined {
  if (!/^(\d{1,15}(ns|us|µs|ms|s|m|h|d|w))+$/.test(text)) return undefined;
  let totalNs = 0n;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ns|us|µs|ms|s|m|h|d|w)/g)) {
    totalNs += BigInt(amount!) * durationUnitsNs[unit!]!;
  }
  return totalNs > 0n ? totalNs : undefined;
}

/** The duration in the largest unit that keeps it whole: `90s`, `2m`, `1d`; as `parseDuration` reads it. */
export function formatDuration(durationNs: bigint): string {
  const units = ['d', 'h', 'm', 's', 'ms', 'us'];
  const unit = units.find((name) => durationNs % durationUnitsNs[name]! === 0n) ?? 'ns';
  return `${durationNs / durationUnitsNs[unit]!}${unit}`;
}

/** RFC 3339 in UTC with as many decimals as the time needs, 0 to 9. */
export function formatTime(timeNs: bigint): string {
  const seconds = floorDivide(timeNs, NS_PER_SECOND);
  const fractionNs = timeNs - seconds * NS_PER_SECOND;
  const base = formatSeconds(Number(seconds));
  if (fractionNs === 0n) return `${base}Z`;
  return `${base}.${String(fractionNs).padStart(9, '0').replace(/0+$/, '')}Z`;
}

const SECONDS_PER_DAY = 86_400;
const twoDigits = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, '0'));
/** The date told last: times of one answer are mostly of a few days, and `Date` takes longer than the rest together. */
let told = { day: 0, date: '1970-01-01' };

function formatSeconds(seconds: number): string {
  const day = Math.floor(seconds / SECONDS_PER_DAY);
  if (day !== told.day) {
    told = { day, date: new Date(day * SECONDS_PER_DAY * 1000).toISOString().slice(0, -14) };
  }
  const second = seconds - day * SECONDS_PER_DAY;
  const minute = Math.floor(second / 60);
  return `${told.date}T${twoDigits[Math.floor(minute / 60)]}:${twoDigits[minute % 60]}:${twoDigits[second % 60]}`;
}

/** Division rounded towards minus infinity, for times before 1970. */
export function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor < 0n ? quotient - 1n : quotient;
}

function parseNumber(value: number): bigint | undefined {
  if (!Number.isFinite(value)) return undefined;
  if (Number.isInteger(value)) return scaleInteger(BigInt(value));
  // A fraction is meant in the unit its integer part has; seconds with decimals are the usual case.
  return scaleNumber(value, unitOf(BigInt(Math.trunc(value))));
}

function scaleInteger(value: bigint): bigint {
  return value * unitOf(value);
}

function unitOf(value: bigint): bigint {
  const size = value < 0n ? -value : value;
  if (size < 5_000_000_000n) return NS_PER_SECOND;
  if (size < 5_000_000_000_000n) return NS_PER_MS;
  if (size < 5_000_000_000_000_000n) return 1000n;
  return 1n;
}

function parseTimestamp(text: string): bigint | undefined {
  const match = timestampPattern.exec(text);
  if (!match) return undefined;
  const [, date, time, fraction, , offsetHours, offsetMinutes] = match;
  const utcMs = parseUtc(date!, time!);
  if (utcMs === undefined) return undefined;
  const fractionNs = fraction === undefined ? 0n : BigInt(fraction.padEnd(9, '0'));
  return BigInt(utcMs) * NS_PER_MS + fractionNs - zoneOffsetNs(offsetHours, offsetMinutes);
}

/** The date read last: times of one file are mostly of a few days, and `Date` takes longer than the rest together. */
let read = { date: '1970-01-01', startMs: 0 };

function parseUtc(date: string, time: string): number | undefined {
  if (date !== read.date) {
    const startMs = Date.parse(`${date}T00:00:00Z`);
    // Date.parse rolls 30 February over to March; a date that does not read back is no date.
    if (Number.isNaN(startMs) || !new Date(startMs).toISOString().startsWith(date)) return undefined;
    read = { date, startMs };
  }
  const hour = Number(time.slice(0, 2));
  const minute = Number(time.slice(3, 5));
  const second = Number(time.slice(6));
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  return read.startMs + ((hour * 60 + minute) * 60 + second) * 1000;
}

function zoneOffsetNs(hours: string | undefined, minutes: string | undefined): bigint {
  if (hours === undefined || minutes === undefined) return 0n;
  const size = BigInt(Number(hours.slice(1)) * 60 + Number(minutes)) * 60n * NS_PER_SECOND;
  return hours.startsWith('-') ? -size : size;
}
