import { NS_PER_SECOND, type PointColumns, TRAVELLERS } from '@tidemark/core';
import { gridOf, TravellerWindows } from './traveller-windows.ts';
import type { TravellerWindowsQuery } from './travellers.ts';

const MINUTE_NS = 60n * NS_PER_SECOND;
const MINUTES_OF_BLOCK = 30;
const BLOCK_NS = BigInt(MINUTES_OF_BLOCK) * MINUTE_NS;
/** Asked for at once, so that what is summed up stays small. */
const BLOCKS_OF_STRETCH = 12n;
const BLOCKS_OF_DAY = 48n;
/** Sensors with their types, in all blocks: some 1.8 kB each. Then the block that was asked for longest ago goes. */
const MAX_GROUPS = 30_000;

/** How often blocks are worked out ahead of questions: those that nothing was written to for as long. */
const AHEAD_EVERY_MS = 10_000;
/** Blocks that are worked out ahead: of two days. */
const MAX_AHEAD = 96;
/** Blocks remembered between two looks; an import may go through years. */
const MAX_TOUCHED = 1000;

interface TravellerCacheOptions {
  compute: (query: TravellerWindowsQuery) => Promise<TravellerWindows>;
}

/** In place of a block's number. */
const ALL = -1n;

/**
 * Windows of travellers by the minute, half an hour together, of which longer and overlapping ones are made. What is
 * written takes the blocks away that it changes: a position counts where it is, and from the one before on. They are
 * worked out again once nothing more is written to them, so that the first question finds them.
 */
export class TravellerCache {
  readonly #compute: TravellerCacheOptions['compute'];
  /** By number; the one that was asked for last is the last. */
  readonly #blocks = new Map<bigint, TravellerWindows>();
  /** What was written while blocks were worked out. */
  readonly #running = new Set<Set<bigint>>();
  #groups = 0;
  /** Blocks that were written to since the last look, and those that are to be worked out. */
  #touched = new Set<bigint>();
  #wanted = new Set<bigint>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ compute }: TravellerCacheOptions) {
    this.#compute = compute;
  }

  /** Works blocks out ahead from now on, those of the last day first. `gapNs` as in questions. */
  start({ nowNs, gapNs }: { nowNs: () => bigint; gapNs: bigint }): void {
    const current = nowNs() / BLOCK_NS;
    for (let block = current - BLOCKS_OF_DAY; block < current; block++) this.#wanted.add(block);
    const again = () => {
      const timer = setTimeout(async () => {
        await this.workAhead({ nowNs: nowNs(), gapNs });
        if (this.#timer === timer) again();
      }, AHEAD_EVERY_MS);
      this.#timer = timer;
    };
    again();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Works out the blocks that are over and that nothing was written to since the last call, the newest first. */
  async workAhead({ nowNs, gapNs }: { nowNs: bigint; gapNs: bigint }): Promise<void> {
    const touched = this.#touched;
    this.#touched = new Set();
    const quiet = [...this.#wanted].filter(
      (block) => !touched.has(block) && (block + 1n) * BLOCK_NS <= nowNs,
    );
    for (const block of touched) this.#wanted.add(block);
    const newestFirst = (some: Iterable<bigint>) => [...some].sort((a, b) => (a < b ? 1 : -1));
    this.#wanted = new Set(newestFirst(this.#wanted).slice(0, MAX_AHEAD));
    for (const block of newestFirst(quiet)) {
      this.#wanted.delete(block);
      if (this.#blocks.has(block) || this.#groups > MAX_GROUPS / 2) continue;
      const range = { fromNs: block * BLOCK_NS, toNs: (block + 1n) * BLOCK_NS };
      try {
        await this.#workOut({ ...range, everyNs: MINUTE_NS, lengthNs: MINUTE_NS, gapNs });
      } catch {
        // The next question meets what is wrong, and tells it.
        return;
      }
    }
  }

  /** What `compute` would answer. */
  async answer(query: TravellerWindowsQuery): Promise<TravellerWindows> {
    const { fromNs, toNs, everyNs, lengthNs, gapNs } = query;
    // In longer windows one may be twice, and is counted by name.
    const isMadeOfMinutes = everyNs % MINUTE_NS === 0n && lengthNs % MINUTE_NS === 0n && lengthNs <= gapNs;
    if (!isMadeOfMinutes || fromNs >= toNs) return this.#compute(query);
    const windows = new TravellerWindows(gridOf(query, MINUTE_NS), query);
    for (let startNs = fromNs; startNs < toNs; ) {
      const { endNs, parts } = await this.#next(query, startNs);
      for (const part of parts) windows.addParts(part);
      startNs = endNs;
    }
    return windows;
  }

  /** To be told of all that is written. */
  noteWritten(points: PointColumns): void {
    if (!points.labels.some(({ measurement }) => measurement === TRAVELLERS)) return;
    for (let index = 0; index < points.length; index++) {
      if (points.measurementOf(index) !== TRAVELLERS) continue;
      const timeNs = points.times.at(index);
      const last = timeNs / BLOCK_NS;
      for (let block = (timeNs - elapsedOf(points, index)) / BLOCK_NS; block <= last; block++) {
        if (this.#touched.size < MAX_TOUCHED) this.#touched.add(block);
        this.#drop(block);
      }
    }
  }

  /** The store has changed otherwise. */
  clear(): void {
    for (const written of this.#running) written.add(ALL);
    for (const block of [...this.#blocks.keys()]) this.#drop(block);
  }

  /** What begins there: a block that is known, or what has to be worked out up to the next such. */
  async #next(
    query: TravellerWindowsQuery,
    startNs: bigint,
  ): Promise<{ endNs: bigint; parts: readonly TravellerWindows[] }> {
    const number = startNs / BLOCK_NS;
    const isWhole = startNs % BLOCK_NS === 0n;
    const known = isWhole && startNs + BLOCK_NS <= query.toNs ? this.#blocks.get(number) : undefined;
    if (known !== undefined) {
      this.#blocks.delete(number);
      this.#blocks.set(number, known);
      return { endNs: startNs + BLOCK_NS, parts: [known] };
    }
    let endNs = (number + 1n) * BLOCK_NS;
    while (isWhole && endNs / BLOCK_NS < number + BLOCKS_OF_STRETCH && !this.#blocks.has(endNs / BLOCK_NS))
      endNs += BLOCK_NS;
    if (endNs > query.toNs) endNs = query.toNs;
    const range = { ...query, fromNs: startNs, toNs: endNs, everyNs: MINUTE_NS, lengthNs: MINUTE_NS };
    return { endNs, parts: [await this.#workOut(range)] };
  }

  /** Keeps what is whole, unless it was asked for some sensors or types alone, or was written to meanwhile. */
  async #workOut(range: TravellerWindowsQuery): Promise<TravellerWindows> {
    const written = new Set<bigint>();
    this.#running.add(written);
    try {
      const found = await this.#compute(range);
      const isOfAll = (range.sensors ?? []).length === 0 && (range.types ?? []).length === 0;
      if (isOfAll && range.fromNs % BLOCK_NS === 0n)
        for (let startNs = range.fromNs; startNs + BLOCK_NS <= range.toNs; startNs += BLOCK_NS) {
          const block = startNs / BLOCK_NS;
          if (!written.has(block) && !written.has(ALL))
            this.#keep(block, found.slice(startNs / MINUTE_NS, MINUTES_OF_BLOCK));
        }
      return found;
    } finally {
      this.#running.delete(written);
    }
  }

  #keep(block: bigint, windows: TravellerWindows): void {
    this.#drop(block);
    this.#blocks.set(block, windows);
    this.#groups += windows.groups;
    for (const oldest of [...this.#blocks.keys()]) {
      if (this.#groups <= MAX_GROUPS) return;
      this.#drop(oldest);
    }
  }

  #drop(block: bigint): void {
    for (const written of this.#running) written.add(block);
    this.#groups -= this.#blocks.get(block)?.groups ?? 0;
    this.#blocks.delete(block);
  }
}

/** A correction brings it too. */
function elapsedOf(points: PointColumns, index: number): bigint {
  const end = points.fieldEndOf(index);
  for (let field = points.firstFieldOf(index); field < end; field++)
    if (points.fieldAt(field) === 'elapsed_ns' && points.isFloat(field)) return BigInt(points.floatAt(field));
  return 0n;
}
