import { formatTime, type Window, type WindowFunction, type WindowTag } from '@tidemark/core';
import { csvLine } from './csv.ts';

/** The columns of an answer, besides time and metric. */
interface Columns {
  by: readonly WindowTag[];
  functions: readonly WindowFunction[];
}

/** An answer may hold a million windows: neither their text nor anything else is made of all of them at once. */
const windowsOfPiece = 1000;

/** A list of flat objects as JSON. */
export function* jsonPieces(windows: readonly Window[], columns: Columns): Generator<string> {
  const { length } = windows;
  yield '{"items":[';
  for (let start = 0; start < length; start += windowsOfPiece) {
    const some = windows.slice(start, start + windowsOfPiece);
    const text = some.map((window) => JSON.stringify(toJson(window, columns))).join();
    yield start === 0 ? text : `,${text}`;
  }
  yield `],"count":${length},"isEmpty":${length === 0},"next":null}`;
}

/** CSV with a header line. */
export function* csvPieces(windows: readonly Window[], { by, functions }: Columns): Generator<string> {
  yield csvLine(['time', 'metric', ...by, ...functions]);
  for (let start = 0; start < windows.length; start += windowsOfPiece) {
    const some = windows.slice(start, start + windowsOfPiece);
    yield some.map((window) => csvLine(Object.values(toJson(window, { by, functions })))).join('');
  }
}

function toJson(window: Window, { by, functions }: Columns): Record<string, unknown> {
  const json: Record<string, unknown> = { time: formatTime(window.timeNs), metric: window.metric };
  for (const tag of by) json[tag] = window[tag] ?? null;
  for (const fn of functions) json[fn] = window.values.get(fn) ?? null;
  return json;
}
