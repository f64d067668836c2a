import { floorDivide, formatTime, NS_PER_SECOND } from '@tidemark/core';
import type { WindowsQuery } from '../../src/engine.ts';

// Every zone's offset that is asked for here is a multiple of it, and so is the instant of every change.
const slotNs = 900n * NS_PER_SECOND;
const hourNs = 3600n * NS_PER_SECOND;
const labels = new Map<string, string>();

/**
 * Start of the window that a time falls in, by the calendar itself: of the whole range, of any length in UTC, of one
 * hour or one day in a zone whose clocks change by whole hours.
 */
export function windowStartOf(timeNs: bigint, { everyNs, fromNs, timeZone }: WindowsQuery): bigint {
  if (everyNs === undefined) return fromNs;
  if (timeZone === undefined) return floorDivide(timeNs, everyNs) * everyNs;
  let startNs = floorDivide(timeNs, slotNs) * slotNs;
  const label = labelOf(startNs, everyNs, timeZone);
  while (labelOf(startNs - slotNs, everyNs, timeZone) === label) startNs -= slotNs;
  return startNs;
}

/** Starts of all windows that a query asks for. */
export function windowStartsOf(query: WindowsQuery): bigint[] {
  const { fromNs, toNs, everyNs, timeZone } = query;
  const starts: bigint[] = [];
  if (everyNs === undefined) return fromNs < toNs ? [fromNs] : [];
  const stepNs = timeZone === undefined ? everyNs : slotNs;
  for (let timeNs = windowStartOf(fromNs, query); timeNs < toNs; timeNs += stepNs) {
    const startNs = windowStartOf(timeNs, query);
    if (starts.at(-1) !== startNs) starts.push(startNs);
  }
  return starts;
}

/** The day of a time as its calendar shows it, or the hour with its offset: a repeated hour is two. */
function labelOf(timeNs: bigint, everyNs: bigint, timeZone: string): string {
  const key = `${timeNs} ${everyNs} ${timeZone}`;
  const known = labels.get(key);
  if (known !== undefined) return known;
  const isHour = everyNs === hourNs;
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    dateStyle: 'short',
    ...(isHour && { timeStyle: 'full' }),
  });
  const text = format.format(new Date(formatTime(timeNs)));
  const label = isHour ? text.replace(/:\d\d:\d\d/, '') : text;
  labels.set(key, label);
  return label;
}
