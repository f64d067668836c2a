import type { Logger } from '@tidemark/core';
import type { IngestMetrics } from '../metrics.ts';
import { recordKinds } from '../spool/record.ts';
import type { Spool } from '../spool/spool.ts';
import type { QuarantineStore } from './quarantine-store.ts';
import { decodeRefusal } from './refusal.ts';

const READ_BYTES = 4 * 1024 * 1024;
/** The cursor is saved at least after this many bytes without a refusal, so that segments can go. */
const SAVE_EVERY_BYTES = 16 * 1024 * 1024;

interface QuarantineWriterOptions {
  spool: Spool;
  store: QuarantineStore;
  metrics: IngestMetrics;
  logger: Logger;
}

/** Takes refusals from the log into the quarantine's index, behind its own durable cursor. */
export class QuarantineWriter {
  readonly #options: QuarantineWriterOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: QuarantineWriterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { spool, store, metrics } = this.#options;
    const { signal } = this.#stopping;
    let position = spool.cursor('quarantine');
    for (;;) {
      const { entries, nextOffset } = await spool.take(position, READ_BYTES, true);
      const refusals = entries.filter(({ kind }) => kind === recordKinds.refusal);
      if (refusals.length > 0) {
        const parts = refusals.map(({ offset, payload }) => ({ offset, part: decodeRefusal(payload) }));
        metrics.quarantineEvicted.inc(store.add(parts));
      }
      position = nextOffset;
      spool.passed('quarantine', position);
      const isBehind = position - spool.cursor('quarantine') > SAVE_EVERY_BYTES;
      if (refusals.length > 0 || isBehind || signal.aborted) await spool.advance('quarantine', position);
      if (signal.aborted && position >= spool.endOffset) return;
      await spool.waitBeyond(position, signal);
    }
  }
}
