import type { Point, Tag } from '@tidemark/core';

// Line protocol has no way to write a backslash that stands before a comma, a space, an equals sign, a quote
// or the end of a name: the backslash would escape what follows it. Such a backslash is stored with a
// full stop after it, and so is one that has a full stop after it already, which keeps the two apart.
const unwritable = /\\(?=[,= ".]|$)/g;
const marked = /\\\./g;

/** A measurement, tag or field name, or a tag's value, in a form that line protocol can carry. */
export function encodeName(name: string): string {
  return name.includes('\\') ? name.replace(unwritable, '\\.') : name;
}

/** The name that `encodeName` was given. */
export function decodeName(name: string): string {
  return name.includes('\\') ? name.replace(marked, '\\') : name;
}

/**
 * Why InfluxDB would drop the point or part of it without an error, or take it for several lines; undefined
 * when it would not. Whatever else it refuses, it says.
 */
export function pointProblem({ measurement, tags, fields }: Point): string | undefined {
  if (measurement.startsWith('#')) return `measurement ${JSON.stringify(measurement)} would be a comment`;
  if (fields.length === 0) return 'there is no field';
  if (fields.some(([key]) => key === 'time')) return 'a field cannot be named "time"';
  const names = [measurement, ...tags.flat(), ...fields.map(([key]) => key)];
  if (names.includes('')) return 'a name or a tag is empty';
  const broken = names.find((name) => /[\n\r]/.test(name));
  return broken === undefined ? undefined : `${JSON.stringify(broken)} holds a line break`;
}

/** The point under names that line protocol can carry. */
export function encodeNames({ measurement, tags, fields, timeNs }: Point): Point {
  return {
    measurement: encodeName(measurement),
    tags: tags.map(([key, value]): Tag => [encodeName(key), encodeName(value)]),
    fields: fields.map(([key, value]) => [encodeName(key), value]),
    timeNs,
  };
}
