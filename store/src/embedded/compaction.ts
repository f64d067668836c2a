import { type Clock, type FieldType, fieldTypes, type Logger, messageOf } from '@tidemark/core';
import { Turns } from '../turns.ts';
import type { Layout, Partition, TypeLayout } from './layout.ts';
import { rowsOf, tablesIn } from './layout.ts';
import { MIN_TIME_NS } from './schema.ts';
import type { Steps } from './steps.ts';
import type { SumTables } from './sums.ts';

/** When compaction acts, and how large partitions become. */
export interface CompactionLimits {
  /** Rows in the hot tables of a type that start a compaction. */
  hotRows: number;
  /** The same for the late tables, where partitions hold little: see `lateLimit`. */
  lateRows: number;
  /** Rows above which a partition of more than a day is split. */
  partitionRows: number;
  /** Rows above which a partition stays in its runs, since sorting it anew would take too long. */
  rewriteRows: number;
  /** Runs a partition may consist of while rows still come in. */
  runs: number;
  /** Rows for each series of the store from which on it is kept what a partition adds up to. */
  rowsPerSum: number;
}

export const defaultLimits: CompactionLimits = {
  hotRows: 1_000_000,
  lateRows: 200_000,
  partitionRows: 4_000_000,
  rewriteRows: 50_000_000,
  runs: 16,
  rowsPerSum: 16,
};

/** Hot rows that only wait are compacted from this share of their limit on, late ones always. */
const IDLE_SHARE = 0.05;
const LOOK_INTERVAL_MS = 10_000;
const LOOKS_WHILE_WAITING = 60;
/** Between two looks. */
const FEW_ROWS = 100;
/** After a failure (a full disk, say), the next try waits this long. */
const RETRY_AFTER_MS = 30_000;
/** A merge reads through the partitions that late rows are in: so many of their rows for a late one, at the most. */
const ROWS_FOR_LATE_ROW = 64;
/** Of the limit, where the partitions hold much. */
const MAX_LATE_FACTOR = 8;
/** Writes wait when this many times the limits are waiting, each so long: one of 10 s is told as an outage. */
const OVERRUN_FACTOR = 8;
const LATE_OVERRUN_FACTOR = 2 * MAX_LATE_FACTOR;
const OVERRUN_WAIT_MS = 4000;

interface Pass {
  /** Of the limits, from which on rows are moved; 0 moves all there are. */
  share: number;
  /** True when each partition is to be of one run. */
  isThorough: boolean;
}

interface CompactionOptions {
  steps: Pick<Steps, 'seal' | 'moveHot' | 'mergeLate' | 'rewrite' | 'sumUp'>;
  sums: Pick<SumTables, 'isDue'>;
  layout: Layout;
  limits: CompactionLimits;
  /** Told why a compaction in the background failed: nobody else waits for it. */
  onFailed: (error: unknown) => void;
  clock: Clock;
  logger: Logger;
}

/**
 * Brings points to their final place in the background, one step at a time: hot rows become sorted runs of
 * their partitions, late rows replace what they correct, partitions of many runs are sorted anew and split
 * when large.
 */
export class Compaction {
  readonly #options: CompactionOptions;
  readonly #turns = new Turns();
  #running: Promise<void> | undefined;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #waitingBefore = 0;
  #looks = 0;

  constructor(options: CompactionOptions) {
    this.#options = options;
  }

  /** Begins to look, from time to time, for rows below the limits that have waited. */
  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_INTERVAL_MS);
    this.#timer.unref();
    this.poke({ withSums: true });
  }

  /** What was loaded at once is compacted as soon as that is over, since questions come next. */
  #look(): void {
    const { layout, limits } = this.#options;
    const waiting = [...layout.types.values()].reduce(
      (rows, { hot, late }) => rows + rowsOf(hot) + rowsOf(late),
      0,
    );
    const isOver =
      waiting >= limits.hotRows * IDLE_SHARE && Math.abs(waiting - this.#waitingBefore) < FEW_ROWS;
    this.#waitingBefore = waiting;
    this.#looks += 1;
    if (isOver || this.#looks % LOOKS_WHILE_WAITING === 0) this.poke({ share: IDLE_SHARE, withSums: true });
  }

  /** Lets no step begin any more; resolves when none runs. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#running?.catch(() => undefined);
    await this.betweenSteps(async () => undefined);
  }

  /** Starts a compaction in the background when some table is over a share of its limit, or `withSums` without sums. */
  poke({ share = 1, withSums = false } = {}): void {
    const { clock, logger, layout, sums, onFailed } = this.#options;
    if (this.#running !== undefined || this.#isStopped || clock.monotonicMs() < this.#notBeforeMs) return;
    const isDue = ([type, tables]: [FieldType, TypeLayout]) =>
      this.#isHotDue(tables, share) ||
      this.#isLateDue(tables, share) ||
      (withSums && tables.partitions.some((partition) => sums.isDue(type, partition)));
    if (![...layout.types].some(isDue)) return;
    this.#run({ share, isThorough: false }).catch((error: unknown) => {
      this.#notBeforeMs = clock.monotonicMs() + RETRY_AFTER_MS;
      onFailed(error);
      if (!this.#isStopped) logger.error({ err: messageOf(error) }, 'compaction failed, it is tried again');
    });
  }

  /** Compacts everything now, into partitions of one run each. */
  async runAll(): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
    await this.#run({ share: 0, isThorough: true });
  }

  /** Brings the rows from before a time to their partitions, if any still wait. */
  async settle(beforeNs: bigint): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
    const isWaiting = this.#some(
      ({ hot, late }) => tablesIn([...hot, ...late], MIN_TIME_NS, beforeNs - 1n).length > 0,
    );
    if (isWaiting) await this.#run({ share: 0, isThorough: false });
  }

  /** Resolves at once, but waits a while for the running compaction when writes have outrun it. */
  async keepUp(): Promise<void> {
    const { hotRows, lateRows } = this.#options.limits;
    const isOverrun = this.#some(
      ({ hot, late }) =>
        rowsOf(hot) > OVERRUN_FACTOR * hotRows || rowsOf(late) > LATE_OVERRUN_FACTOR * lateRows,
    );
    if (!isOverrun || this.#running === undefined) return;
    const over = this.#running.catch(() => undefined);
    await Promise.race([over, new Promise((resolve) => setTimeout(resolve, OVERRUN_WAIT_MS).unref())]);
  }

  /** Runs another change of the tables while no step runs; a pass goes on afterwards. */
  betweenSteps<T>(change: () => Promise<T>): Promise<T> {
    return this.#turns.run(change);
  }

  #run(pass: Pass): Promise<void> {
    this.#running = this.#compact(pass).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #compact(pass: Pass): Promise<void> {
    for (const type of fieldTypes) {
      if (this.#isStopped) return;
      await this.#compactType(type, pass);
    }
  }

  async #compactType(type: FieldType, { share, isThorough }: Pass): Promise<void> {
    const { layout, steps } = this.#options;
    const tables = layout.of(type);
    const mergesLate = this.#isLateDue(tables, share);
    const step = <T>(change: () => Promise<T>) => this.betweenSteps(change);
    if (mergesLate || this.#isHotDue(tables, share)) {
      await step(() => steps.seal(type, { withLate: mergesLate }));
    }
    const touched = new Set(await step(() => steps.moveHot(type)));
    if (mergesLate) for (const partition of await step(() => steps.mergeLate(type))) touched.add(partition);
    for (const partition of tables.partitions) {
      if (this.#isStopped) return;
      if (this.#isRewriteDue(partition, touched, isThorough)) {
        await step(() => steps.rewrite(type, partition));
      }
    }
    for (const partition of tables.partitions) {
      if (this.#isStopped) return;
      if (this.#options.sums.isDue(type, partition) && (isThorough || !touched.has(partition)))
        await step(() => steps.sumUp(type, partition));
    }
  }

  /** Sealed tables are there before a pass only when one was cut short. */
  #isHotDue({ hot }: TypeLayout, share: number): boolean {
    return hot.length > 1 || rowsOf(hot) >= Math.max(this.#options.limits.hotRows * share, 1);
  }

  #isLateDue({ late, partitions }: TypeLayout, share: number): boolean {
    // However few they are, the sums of all partitions in their time are of no use until they are merged.
    const rows = share < 1 ? 1 : lateLimit(partitions, this.#options.limits.lateRows);
    return late.length > 1 || rowsOf(late) >= rows;
  }

  #isRewriteDue(partition: Partition, touched: ReadonlySet<Partition>, isThorough: boolean): boolean {
    const { limits } = this.#options;
    const { rows, sortedRows, runs, widthDays } = partition;
    if (rows > limits.partitionRows && widthDays > 1) return true;
    if (runs <= 1 || rows > limits.rewriteRows) return false;
    if (isThorough || runs > limits.runs) return true;
    // While rows come in, sorting is put off; afterwards a small unsorted rest does no harm.
    return !touched.has(partition) && rows - sortedRows > sortedRows / 8;
  }

  #some(test: (tables: TypeLayout) => boolean): boolean {
    return [...this.#options.layout.types.values()].some(test);
  }
}

/** Late rows that start a merge: the more there is to be read through, the more at a time. */
function lateLimit(partitions: readonly Partition[], lateRows: number): number {
  const rows = partitions.reduce((sum, partition) => sum + partition.rows, 0);
  return Math.min(Math.max(lateRows, rows / ROWS_FOR_LATE_ROW), MAX_LATE_FACTOR * lateRows);
}
