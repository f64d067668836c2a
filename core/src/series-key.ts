import type { Tag } from './point.ts';

/**
 * `measurement,tag=value,…` with tags in the order given: the identity of a series. Every special character,
 * the backslash included, is escaped by a backslash, so that different series never share a key
 * (line protocol itself cannot hold a tag value that ends in a backslash).
 */
export function encodeSeriesKey(measurement: string, tags: readonly Tag[]): string {
  let key = escapeKey(measurement);
  for (const [name, value] of tags) key += `,${escapeKey(name)}=${escapeKey(value)}`;
  return key;
}

/** A measurement, tag or field name as it stands in a series key. */
export function escapeKey(text: string): string {
  return /[\\,= #\n\r]/.test(text) ? text.replace(/[\\,= #\n\r]/g, '\\$&') : text;
}
