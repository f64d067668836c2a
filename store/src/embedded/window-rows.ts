import type { Window, WindowFunction } from '@tidemark/core';
import type { QueryRows, QueryValue, Windows } from '../engine.ts';
import { type Part, partsOf } from './parts.ts';

/** What windows are told apart by, besides time. */
export interface WindowGroup {
  metric: string;
  sensor?: string;
  location?: string | null;
}

/** The windows of one group: its rows (start, parts, other functions), each read as it is asked for. */
export class WindowRows implements Windows {
  readonly #group: WindowGroup;
  readonly #rows: QueryRows;
  readonly #functions: readonly WindowFunction[];

  constructor(group: WindowGroup, rows: QueryRows, functions: readonly WindowFunction[]) {
    this.#group = group;
    this.#rows = rows;
    this.#functions = functions;
  }

  get length(): number {
    return this.#rows.length;
  }

  *[Symbol.iterator](): Generator<Window> {
    const functions = this.#functions;
    const compute = readersOf(functions);
    for (const row of this.#rows) {
      const values = new Map<WindowFunction, number | null>();
      for (let index = 0; index < functions.length; index++) {
        values.set(functions[index]!, finite(compute[index]!(row)));
      }
      yield { ...this.#group, timeNs: row[0] as bigint, values };
    }
  }
}

/** True for functions of a group that follow from those of its series. */
export function isMergeable(fn: WindowFunction): boolean {
  return partsOf[fn] !== undefined;
}

/** The columns that rows have behind their start: parts, then the functions that are none of them. */
export function neededParts(functions: readonly WindowFunction[]): Part[] {
  return [...new Set<Part>(['n', ...functions.flatMap((fn) => partsOf[fn] ?? [])])];
}

type Row = readonly QueryValue[];

function readersOf(functions: readonly WindowFunction[]): ((row: Row) => number)[] {
  const parts = neededParts(functions);
  const others = functions.filter((fn) => !isMergeable(fn));
  return functions.map((fn) => {
    if (isMergeable(fn)) return derive(fn, (part) => 1 + parts.indexOf(part));
    const column = 1 + parts.length + others.indexOf(fn);
    return (row) => toNumber(row[column]);
  });
}

/** How a mergeable function follows from its parts, which are at the places of a row that `columnOf` says. */
function derive(fn: WindowFunction, columnOf: (part: Part) => number): (row: Row) => number {
  const [a = 0, b = 0, c = 0] = partsOf[fn]!.map(columnOf);
  const count = columnOf('n');
  switch (fn) {
    case 'mean':
      return (row) => toNumber(row[a]) / toNumber(row[count]);
    case 'spread':
      return (row) => toNumber(row[b]) - toNumber(row[a]);
    case 'rate':
      return (row) => (toNumber(row[b]) - toNumber(row[a])) / (toNumber(row[c]) / 1e9);
    default:
      return (row) => toNumber(row[a]);
  }
}

function toNumber(value: QueryValue | undefined): number {
  return value === null || value === undefined ? Number.NaN : Number(value);
}

/** No value, and what is beyond a double, are null. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
