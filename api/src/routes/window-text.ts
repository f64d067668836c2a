import { formatTime, type Window, type WindowFunction, type WindowTag } from '@tidemark/core';
import type { Windows } from '@tidemark/store';
import { csvLine } from './csv.ts';

/** The columns of an answer, besides time and metric. */
interface Columns {
  by: readonly WindowTag[];
  functions: readonly WindowFunction[];
}

/** A list of flat objects as JSON, each a part of the text. */
export function* jsonParts(windows: Windows, { by, functions }: Columns): Generator<string> {
  const names = functions.map((fn) => `,${JSON.stringify(fn)}:`);
  yield '{"items":[';
  let before: Window | undefined;
  let group = '';
  for (const window of windows) {
    // Most windows are of the same tags as the one before.
    if (before === undefined || !isSameGroup(before, window)) group = groupJson(window, by);
    let text = `${before === undefined ? '' : ','}{"time":"${formatTime(window.timeNs)}"${group}`;
    for (let index = 0; index < names.length; index++) {
      text += names[index]! + String(window.values.get(functions[index]!) ?? null);
    }
    yield `${text}}`;
    before = window;
  }
  yield `],"count":${windows.length},"isEmpty":${windows.length === 0},"next":null}`;
}

/** CSV with a header line. */
export function* csvParts(windows: Windows, { by, functions }: Columns): Generator<string> {
  yield csvLine(['time', 'metric', ...by, ...functions]);
  for (const { timeNs, metric, values, ...tags } of windows) {
    const cells = [...by.map((tag) => tags[tag] ?? null), ...functions.map((fn) => values.get(fn) ?? null)];
    yield csvLine([formatTime(timeNs), metric, ...cells]);
  }
}

function isSameGroup(a: Window, b: Window): boolean {
  return a.metric === b.metric && a.sensor === b.sensor && a.location === b.location;
}

function groupJson(window: Window, by: readonly WindowTag[]): string {
  const tags = by.map((tag) => `,"${tag}":${JSON.stringify(window[tag] ?? null)}`);
  return `,"metric":${JSON.stringify(window.metric)}${tags.join('')}`;
}
