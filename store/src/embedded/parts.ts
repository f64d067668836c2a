import type { WindowFunction } from '@tidemark/core';

/** What functions are made of; each is one column of a statement. */
export type Part = 'n' | 'total' | 'low' | 'high' | 'first_time' | 'first' | 'last_time' | 'last' | 'span';

/** The parts that a function of a group follows from, where those of its series are enough. */
export const partsOf: Partial<Record<WindowFunction, Part[]>> = {
  count: ['n'],
  sum: ['total'],
  mean: ['total'],
  min: ['low'],
  max: ['high'],
  spread: ['low', 'high'],
  first: ['first'],
  last: ['last'],
  rate: ['first', 'last', 'span'],
};

/** Of the points of several series. */
export const partOfPoints: Record<Part, string> = {
  n: 'count(*)',
  total: 'sum(value)',
  low: 'min(value)',
  high: 'max(value)',
  first_time: 'min(time)',
  first: 'arg_min(value, {t: time, v: -value})',
  last_time: 'max(time)',
  last: 'arg_max(value, {t: time, v: value})',
  span: 'max(time) - min(time)',
};

/** Of the points of one series: their times differ, so the comparison is by time alone, and quicker. */
export const partOfSeries: Record<Part, string> = {
  ...partOfPoints,
  first: 'arg_min(value, time)',
  last: 'arg_max(value, time)',
};

/** What a part of a group needs of its series, where that is not the same part alone. */
export const partsOfParts: Partial<Record<Part, Part[]>> = {
  first: ['first_time', 'first'],
  last: ['last_time', 'last'],
  span: ['first_time', 'last_time'],
};

/** Of the parts of several series, or of several stretches of one. */
export const partOfParts: Record<Part, string> = {
  n: 'sum(n)',
  total: 'sum(total)',
  low: 'min(low)',
  high: 'max(high)',
  first_time: 'min(first_time)',
  first: 'arg_min("first", {t: first_time, v: -"first"})',
  last_time: 'max(last_time)',
  last: 'arg_max("last", {t: last_time, v: "last"})',
  span: 'max(last_time) - min(first_time)',
};

/** SQL for parts as columns of their names. */
export function columnsOf(parts: readonly Part[], expressions: Record<Part, string>): string {
  return parts.map((part) => `${expressions[part]} AS "${part}"`).join(', ');
}
