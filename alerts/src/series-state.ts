import type { Condition } from '@tidemark/core';

/** `dismissed`: ended by hand while its condition holds; it begins anew once that has ended. */
type Phase = 'ok' | 'pending' | 'firing' | 'dismissed';

/** What is known of one series under one rule. Times are event times, in ms since 1970. */
export interface SeriesState {
  phase: Phase;
  /** Of the newest reading that was evaluated; -Infinity before the first. */
  timeMs: number;
  /** Its value; NaN before the first. */
  value: number;
  /** Since when the condition holds, while it does. */
  sinceMs: number;
}

/** How far ahead of its acceptance a reading may be and still be of the present: clocks differ a little. */
const AHEAD_MS = 60_000;

/** What a reading has made of a series. */
export type Step =
  | 'none'
  /** Older than one that was evaluated before: it changes nothing, since what came behind it is known. */
  | 'late'
  /** It holds, or is now known to hold since earlier. */
  | 'pending'
  | 'firing'
  /** No longer pending, or no longer dismissed. */
  | 'ended'
  | 'resolved';

export function newSeries(): SeriesState {
  return {
    phase: 'ok',
    timeMs: Number.NEGATIVE_INFINITY,
    value: Number.NaN,
    sinceMs: Number.NEGATIVE_INFINITY,
  };
}

/**
 * One reading of a series, in order of acceptance: changes `state`, and says what has come about. `acceptedMs` is left
 * out where readings come in the order of their times.
 */
export function step(
  { condition, forMs }: { condition: Condition; forMs: number },
  state: SeriesState,
  value: number,
  timeMs: number,
  acceptedMs = Number.POSITIVE_INFINITY,
): Step {
  if (isLate(state, timeMs, acceptedMs)) return 'late';
  const isSinceEarlier = timeMs < state.sinceMs;
  if (isSinceEarlier) state.sinceMs = timeMs;
  const isBreach = holds(condition, state, value, timeMs);
  // A run of equal values begins with the first of them.
  const beginMs = condition.kind === 'stuck' ? state.timeMs : timeMs;
  state.timeMs = timeMs;
  state.value = value;
  if (!isBreach) return end(state);
  if (state.phase === 'firing' || state.phase === 'dismissed') return 'none';
  const wasOk = state.phase === 'ok';
  if (wasOk) state.sinceMs = beginMs;
  const holdMs = condition.kind === 'stuck' ? condition.afterMs : forMs;
  if (timeMs - state.sinceMs >= holdMs) {
    state.phase = 'firing';
    return 'firing';
  }
  state.phase = 'pending';
  return wasOk || isSinceEarlier ? 'pending' : 'none';
}

/**
 * Whether the reading is behind the newest one of its series. A newest one that was ahead of the clock holds nothing up:
 * with the first reading of the present it is forgotten, for a clock set wrong once must not silence a rule for a day.
 */
export function isLate(state: SeriesState, timeMs: number, acceptedMs: number): boolean {
  if (timeMs >= state.timeMs) return false;
  const latestMs = acceptedMs + AHEAD_MS;
  if (state.timeMs <= latestMs || timeMs > latestMs) return true;
  state.timeMs = Number.NEGATIVE_INFINITY;
  state.value = Number.NaN;
  return false;
}

function end(state: SeriesState): Step {
  const { phase } = state;
  if (phase === 'ok') return 'none';
  state.phase = 'ok';
  return phase === 'firing' ? 'resolved' : 'ended';
}

/** Whether the series is in breach with this reading; one that fires stays so until the value is clear. */
function holds(condition: Condition, state: SeriesState, value: number, timeMs: number): boolean {
  const isFiring = state.phase === 'firing' || state.phase === 'dismissed';
  switch (condition.kind) {
    case 'above':
      return value > (isFiring ? condition.clear : condition.threshold);
    case 'below':
      return value < (isFiring ? condition.clear : condition.threshold);
    case 'inside': {
      const [low, high] = isFiring ? condition.clear : condition.range;
      return value >= low && value <= high;
    }
    case 'outside': {
      const [low, high] = isFiring ? condition.clear : condition.range;
      return value < low || value > high;
    }
    case 'rate': {
      const elapsedMs = timeMs - state.timeMs;
      // Two values of one instant have no rate; what was, stays.
      if (elapsedMs === 0) return state.phase !== 'ok';
      const rate = ((value - state.value) / elapsedMs) * condition.perMs;
      return rate > condition.above || rate < condition.below;
    }
    case 'stuck':
      return value === state.value;
    // Told by the clock, not by a reading's value.
    case 'absent':
    case 'quality':
      return false;
  }
}
