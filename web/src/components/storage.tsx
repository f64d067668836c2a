import { formatAge, formatBytes, formatDate } from '../format.ts';
import type { PageState } from '../model/state.ts';

/** A line below the data: since when there are points, when some go, and how much disk is used and left. */
export function Storage({ state: { storage, nowMs } }: { state: PageState }) {
  if (storage === undefined) return null;
  const { oldest, nextPurge, usedBytes, freeBytes, maxBytes } = storage;
  const bound = maxBytes === null ? '' : ` of ${formatBytes(maxBytes)}`;
  const parts = [
    oldest === null ? 'Nothing stored yet' : `Oldest point ${formatDate(oldest)}`,
    goingOf(nextPurge, maxBytes, nowMs),
    ...(usedBytes === null ? [] : [`${formatBytes(usedBytes)}${bound} used`]),
    `${formatBytes(freeBytes)} of disk left`,
  ];
  return <p class="quiet storage">{parts.join(' · ')}</p>;
}

function goingOf(nextPurge: string | null, maxBytes: number | null, nowMs: number): string {
  if (nextPurge !== null) return `next purge ${formatAge(Date.parse(nextPurge), nowMs)}`;
  return maxBytes === null ? 'kept for ever' : 'the oldest go when there is no more room';
}
