import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Journal,
  type JournalEntry,
  type Logger,
  type Point,
  pointToReading,
  READINGS,
  readingToJson,
} from '@tidemark/core';

/** Log that may lie between what was told and what was accepted; past it, readings are skipped and counted. */
const MAX_LAG_BYTES = 4 * 1024 * 1024;
/** Messages told before others get a turn: the acceptance of readings must not wait for their echo. */
const MESSAGES_EACH_TURN = 200;

interface LiveTopicsOptions {
  journal: Journal;
  logger: Logger;
  /** Whether any subscription reaches into `live/`. */
  isHeard: () => boolean;
  /** Whether a message to this topic would reach nobody. */
  isSilent: (topic: string) => boolean;
  publish: (topic: string, payload: string) => void;
  onSkipped: (readings: number) => void;
}

/**
 * `live/<sensor>`: each accepted reading, as the API shows it, while somebody subscribes. It follows the log
 * behind the acceptance path, from the moment of the first subscription on, and holds nothing back.
 */
export class LiveTopics {
  readonly #options: LiveTopicsOptions;
  #following: AbortController | undefined;

  constructor(options: LiveTopicsOptions) {
    this.#options = options;
  }

  /** To be called whenever a subscription came or went. */
  listenersChanged(): void {
    const isHeard = this.#options.isHeard();
    if (isHeard && this.#following === undefined) this.#start();
    if (!isHeard) this.stop();
  }

  stop(): void {
    this.#following?.abort();
    this.#following = undefined;
  }

  #start(): void {
    const following = new AbortController();
    this.#following = following;
    this.#follow(following.signal).catch((error: unknown) => {
      this.#options.logger.error(
        { err: error },
        'live topics stopped; they resume with the next subscription',
      );
      if (this.#following === following) this.#following = undefined;
    });
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { journal } = this.#options;
    for await (const entries of journal.read(journal.endOffset, signal)) {
      const last = entries.at(-1);
      if (last === undefined) continue;
      if (journal.endOffset - last.nextOffset > MAX_LAG_BYTES)
        this.#options.onSkipped(countReadings(entries));
      else await this.#tell(entries);
    }
  }

  async #tell(entries: readonly JournalEntry[]): Promise<void> {
    let told = 0;
    for (const { points } of entries) {
      for (const point of points) {
        if (point.measurement !== READINGS || !this.#tellPoint(point)) continue;
        if (++told % MESSAGES_EACH_TURN === 0) await nextTurn();
      }
    }
  }

  #tellPoint(point: Point): boolean {
    const reading = pointToReading(point);
    const topic = `live/${reading.sensor}`;
    if (this.#options.isSilent(topic)) return false;
    this.#options.publish(topic, JSON.stringify(readingToJson(reading)));
    return true;
  }
}

function countReadings(entries: readonly JournalEntry[]): number {
  return entries.reduce(
    (sum, { points }) => sum + points.filter(({ measurement }) => measurement === READINGS).length,
    0,
  );
}
