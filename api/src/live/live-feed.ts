import { type Journal, type JournalEntry, type Point, tagOf } from '@tidemark/core';
import type { ReadingFilter } from '@tidemark/store';
import {
  createReadingMatcher,
  isPattern,
  type LiveReading,
  type ReadingMatcher,
  type SentReading,
  toLiveReading,
} from './match-readings.ts';

/** The least that a reading takes in the log: so near to the end, what is left fits into what may wait. */
const READING_BYTES = 32;
/** Readings that may wait for a client; one that takes none for longer is dropped off, and reads by itself later. */
const MAX_WAITING = 2000;

const noListeners: ReadonlySet<Listener> = new Set();

/**
 * One reading of the log for all live clients that have caught up: each message is decoded once, and told to those
 * whose sensor it is. Who falls behind is dropped off, so that a frozen client costs neither memory nor work.
 */
export class LiveFeed {
  readonly #journal: Journal;
  readonly #maxWaiting: number;
  readonly #bySensor = new Map<string, Set<Listener>>();
  /** Those that hear of every sensor, or of more than they name. */
  readonly #everywhere = new Set<Listener>();
  #listeners = 0;
  #following: AbortController | undefined;
  /** Behind the last message that was told. */
  #position = 0;

  constructor({ journal, maxWaiting = MAX_WAITING }: { journal: Journal; maxWaiting?: number }) {
    this.#journal = journal;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * Takes in a client that has seen everything before `offset`; undefined while others, or the log, are further than
   * that, and it has to read on by itself. Whoever gets a listener closes it.
   */
  join(filter: ReadingFilter, offset: number): LiveListener | undefined {
    if (this.#following === undefined) {
      if (this.#journal.endOffset - offset > this.#maxWaiting * READING_BYTES) return undefined;
      this.#position = offset;
    } else if (offset < this.#position) return undefined;
    const listener = new Listener({
      filter,
      from: offset,
      position: () => this.#position,
      leave: () => this.#remove(listener),
    });
    this.#add(listener);
    return listener;
  }

  #add(listener: Listener): void {
    for (const set of this.#setsOf(listener)) set.add(listener);
    this.#listeners += 1;
    if (this.#following !== undefined) return;
    const following = new AbortController();
    this.#following = following;
    void this.#follow(following);
  }

  #remove(listener: Listener): void {
    for (const set of this.#setsOf(listener)) set.delete(listener);
    for (const sensor of listener.sensors)
      if (this.#bySensor.get(sensor)?.size === 0) this.#bySensor.delete(sensor);
    this.#listeners -= 1;
    if (this.#listeners > 0) return;
    this.#following?.abort();
    this.#following = undefined;
  }

  #setsOf({ sensors }: Listener): Set<Listener>[] {
    if (sensors.length === 0 || sensors.some(isPattern)) return [this.#everywhere];
    return sensors.map((sensor) => {
      const set = this.#bySensor.get(sensor) ?? new Set();
      this.#bySensor.set(sensor, set);
      return set;
    });
  }

  async #follow(following: AbortController): Promise<void> {
    try {
      for await (const entries of this.#journal.read(this.#position, following.signal)) {
        // Nobody listens any more, or others began anew.
        if (following.signal.aborted) return;
        const first = entries[0];
        if (first === undefined) continue;
        const { firstOffset } = this.#journal;
        // What was reclaimed before it was told, each client finds by itself.
        if (this.#position < firstOffset && firstOffset <= first.offset) this.#dropAll();
        if (following.signal.aborted) return;
        this.#tell(entries);
      }
    } catch {
      // They read by themselves then, and meet the fault.
    }
    if (!following.signal.aborted) this.#dropAll();
  }

  #tell(entries: readonly JournalEntry[]): void {
    const told = new Set<Listener>();
    const heard = new Set<Listener>();
    for (const entry of entries) {
      for (const point of entry.points) this.#tellPoint(point, entry, heard);
      for (const listener of heard) told.add(listener.endEntry(entry));
      heard.clear();
      this.#position = entry.nextOffset;
    }
    for (const listener of told) listener.settle(this.#maxWaiting);
  }

  #tellPoint(point: Point, entry: JournalEntry, heard: Set<Listener>): void {
    const listeners = this.#bySensor.get(tagOf(point.tags, 'sensor') ?? '') ?? noListeners;
    // Most of what comes is for nobody here.
    if (listeners.size === 0 && this.#everywhere.size === 0) return;
    const live = toLiveReading(point, entry);
    if (live === undefined) return;
    for (const listener of listeners) if (listener.hear(live, entry)) heard.add(listener);
    for (const listener of this.#everywhere) if (listener.hear(live, entry)) heard.add(listener);
  }

  #dropAll(): void {
    for (const listeners of [...this.#bySensor.values(), this.#everywhere])
      for (const listener of listeners) listener.drop();
  }
}

/** What one client hears. */
export interface LiveListener {
  /** True when it no longer hears anything: what it has not taken is to be read from the log. */
  readonly isOver: boolean;
  /** All that waits, and the offset behind it. */
  take(): { readings: readonly SentReading[]; resumeAt: number };
  /** Waits until there is something to take, until it is over, or for `timeoutMs`; false after that. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  close(): void;
}

interface ListenerOptions {
  filter: ReadingFilter;
  from: number;
  position: () => number;
  leave: () => void;
}

class Listener implements LiveListener {
  readonly sensors: readonly string[];
  readonly #options: ListenerOptions;
  readonly #match: ReadingMatcher;
  #waiting: SentReading[] = [];
  #isOver = false;
  #wake: (isWoken: boolean) => void = () => {};

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#match = createReadingMatcher(options.filter);
    this.sensors = [...new Set(options.filter.sensors)];
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** True when the reading is for this client; it waits for the end of its entry. */
  hear(live: LiveReading, { offset }: JournalEntry): boolean {
    if (offset < this.#options.from) return false;
    const shown = this.#match(live);
    if (shown === undefined) return false;
    this.#waiting.push({ live: shown, resumeAt: offset });
    return true;
  }

  endEntry({ nextOffset }: JournalEntry): this {
    this.#waiting.at(-1)!.resumeAt = nextOffset;
    return this;
  }

  /** After some entries. */
  settle(maxWaiting: number): void {
    if (this.#waiting.length > maxWaiting) this.drop();
    else this.#wake(true);
  }

  take(): { readings: readonly SentReading[]; resumeAt: number } {
    const readings = this.#waiting;
    this.#waiting = [];
    return { readings, resumeAt: Math.max(this.#options.from, this.#options.position()) };
  }

  async wait(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (this.#waiting.length > 0 || this.#isOver || signal.aborted) return true;
    const end = () => this.#wake(true);
    signal.addEventListener('abort', end, { once: true });
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<boolean>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, timeoutMs, false);
      });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }

  /** It has to go on by itself. */
  drop(): void {
    this.close();
    this.#waiting = [];
    this.#wake(true);
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.leave();
  }
}
