import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, type Freshness, formatTime, type Journal } from '@tidemark/core';
import type { Engine, TravellerWindow, TravellerWindowsQuery } from '@tidemark/store';

/** How long a look waits for what was acknowledged to be in the store. */
const FLUSH_MS = 250;

export interface TravellerChangesOptions {
  engine: Pick<Engine, 'travellerWindows'>;
  freshness: Freshness;
  journal: Pick<Journal, 'endOffset'>;
  clock: Clock;
  /** The range is found anew at each look. */
  watched: Omit<TravellerWindowsQuery, 'fromNs' | 'toNs'>;
  /** How long a window is watched after its end. */
  latenessNs: bigint;
  /** From one look to the next. */
  everyMs: number;
  heartbeatMs: number;
  /** Ends it. */
  signal: AbortSignal;
}

/**
 * Windows that are not over, or have not been for long: all of them first, then each that has changed, as JSON messages.
 * It is looked for changes only where something was accepted or another window has begun.
 */
export async function* travellerChanges(options: TravellerChangesOptions): AsyncGenerator<readonly string[]> {
  const { engine, freshness, journal, clock, watched, signal, everyMs, heartbeatMs } = options;
  let sent = new Map<string, string>();
  let seen = '';
  let sentAtMs = clock.monotonicMs();
  while (!signal.aborted) {
    const range = rangeOf(options);
    const state = `${journal.endOffset} ${range.fromNs} ${range.toNs}`;
    if (state !== seen) {
      // Still behind, it is looked again.
      if ((await freshness.flush(FLUSH_MS)) === 0) seen = state;
      const now = new Map<string, string>();
      for (const window of await engine.travellerWindows({ ...watched, ...range }))
        now.set(keyOf(window), messageOf(window));
      const changed = [...now].filter(([key, message]) => sent.get(key) !== message);
      sent = now;
      if (changed.length > 0) {
        sentAtMs = clock.monotonicMs();
        yield changed.map(([, message]) => message);
      }
    }
    if (clock.monotonicMs() - sentAtMs >= heartbeatMs) {
      sentAtMs = clock.monotonicMs();
      yield ['{"event":"heartbeat"}'];
    }
    await delay(everyMs, undefined, { signal }).catch(() => {});
  }
}

/** From the oldest window that may change to the end of the one that now is in. */
function rangeOf({ clock, watched, latenessNs }: TravellerChangesOptions): { fromNs: bigint; toNs: bigint } {
  const { everyNs, lengthNs } = watched;
  const nowNs = clock.nowNs();
  const oldest = (nowNs - lengthNs - latenessNs) / everyNs + 1n;
  const newest = nowNs / everyNs;
  return { fromNs: (oldest < 0n ? 0n : oldest) * everyNs, toNs: newest * everyNs + lengthNs };
}

function keyOf({ timeNs, sensor, type }: TravellerWindow): string {
  // No id holds a slash.
  return `${timeNs}/${sensor}/${type}`;
}

function messageOf({ timeNs, ...window }: TravellerWindow): string {
  return JSON.stringify({ event: 'window', data: { time: formatTime(timeNs), ...window } });
}
