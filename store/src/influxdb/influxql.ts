import { READINGS } from '@tidemark/core';
import type { ReadingFilter } from '../engine.ts';
import { encodeName } from './names.ts';

// Every name and text in a query goes through the two quoting functions, and every number is a bigint or a
// literal of ours: nothing a user gave is joined into a query in any other way.

// Nothing before 1970 is accepted, and influxd's subqueries find nothing in ranges that begin centuries before.
const minTimeNs = 0n;
const maxTimeNs = 9_223_372_036_854_775_806n;

/** What a field is read as; `float` turns the integers of others' data into floats. */
export type Cast = 'float' | 'string';

/** A range of time; `toNs` is exclusive. */
export interface TimeRange {
  fromNs: bigint;
  toNs: bigint;
}

/** An identifier in double quotes, as InfluxQL's scanner reads it back. */
export function quoteName(name: string): string {
  return `"${name.replace(/["\\\n]/g, escapeCharacter)}"`;
}

/** A string literal in single quotes. */
export function quoteText(text: string): string {
  return `'${text.replace(/['\\\n]/g, escapeCharacter)}'`;
}

/** A field of the measurement, even where a tag has the same name. */
export function fieldExpression(metric: string, cast: Cast): string {
  return `${quoteName(encodeName(metric))}::${cast}`;
}

/** ` FROM "readings" WHERE …` with the time range and the tags of the filter. */
export function fromReadings(range: TimeRange, filter: ReadingFilter): string {
  const conditions = [timeCondition(range), ...filterConditions(filter)];
  return ` FROM ${quoteName(READINGS)} WHERE ${conditions.join(' AND ')}`;
}

/** The tags of the filter as conditions that all have to hold. */
export function filterConditions({ sensors, locations }: ReadingFilter): string[] {
  return [...anyOf('sensor', sensors), ...anyOf('location', locations)];
}

/** The range as a condition; its end is inclusive there, since InfluxQL knows no time 2^63 − 1. */
export function timeCondition({ fromNs, toNs }: TimeRange): string {
  const lastNs = toNs > maxTimeNs ? maxTimeNs : toNs - 1n;
  return `time >= ${fromNs < minTimeNs ? minTimeNs : fromNs} AND time <= ${lastNs}`;
}

function anyOf(tag: 'sensor' | 'location', values: readonly string[] | undefined): string[] {
  if (values === undefined || values.length === 0) return [];
  return [
    `(${values.map((value) => `${quoteName(tag)}::tag = ${quoteText(encodeName(value))}`).join(' OR ')})`,
  ];
}

function escapeCharacter(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`;
}
