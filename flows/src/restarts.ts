/** Why Node-RED is started anew. A closed list: alerts may match on it. */
export const restartReasons = [
  /** A flow did one thing for too long: an endless loop. */
  'heartbeat',
  /** Flows took more memory than they may. */
  'memory',
  /** It ended by itself, or somebody ended it. */
  'exit',
  /** It could not start, as when its port is taken. */
  'start',
] as const;
export type RestartReason = (typeof restartReasons)[number];

/** So many ends of its own within the window, and flows are no longer started. */
export const MAX_FAULTS = 3;
export const WINDOW_MS = 10 * 60_000;
const FIRST_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 60_000;
/** More of them change nothing: the pause is at its longest. */
const MAX_KEPT = 10;

export interface NextStart {
  pauseMs: number;
  /** Begin without flows, so that they can be mended. */
  isSafeMode: boolean;
}

/** Decides when Node-RED is started again after it ended, and whether with its flows. */
export class Restarts {
  #ends: { atMs: number; isFault: boolean }[] = [];

  /** It has ended; the pause doubles with each end within ten minutes, up to a minute. */
  ended(reason: RestartReason, nowMs: number): NextStart {
    const recent = this.#ends.filter(({ atMs }) => nowMs - atMs < WINDOW_MS);
    // A port that is taken says nothing about the flows.
    recent.push({ atMs: nowMs, isFault: reason !== 'start' });
    this.#ends = recent.slice(-MAX_KEPT);
    return {
      pauseMs: Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#ends.length - 1)),
      isSafeMode: this.#ends.filter(({ isFault }) => isFault).length >= MAX_FAULTS,
    };
  }
}
