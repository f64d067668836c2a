import type { Window, WindowTag } from '@tidemark/core';

/** Orders text by code point, as UTF-8 and both stores do; `<` alone goes by UTF-16 unit. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const unitA = a.charCodeAt(index);
    const unitB = b.charCodeAt(index);
    if (unitA === unitB) continue;
    // A surrogate stands for a code point above every other unit.
    const isHighA = isSurrogate(unitA);
    if (isHighA !== isSurrogate(unitB)) return isHighA ? 1 : -1;
    return unitA - unitB;
  }
  return a.length - b.length;
}

/** Orders windows by metric, then the `by` tags (no location first), then time. */
export function compareWindows(by: readonly WindowTag[]): (a: Window, b: Window) => number {
  return (a, b) => compareGroups(a, b, by) || (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0);
}

/** Zero when two windows are of one metric and one set of `by` tags. */
export function compareGroups(a: Window, b: Window, by: readonly WindowTag[]): number {
  let order = compareText(a.metric, b.metric);
  for (const tag of by) order ||= compareTag(a[tag], b[tag]);
  return order;
}

function compareTag(a: string | null | undefined, b: string | null | undefined): number {
  // No tag sorts before every value, the empty one included; values are never empty.
  return compareText(a ?? '', b ?? '');
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
