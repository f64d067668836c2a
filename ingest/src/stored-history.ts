import { setTimeout as delay } from 'node:timers/promises';
import { type Cause, type Logger, type SensorHistory, TidemarkError } from '@tidemark/core';
import type { AuditLog, Engine, SensorRegistry } from '@tidemark/store';
import type { BatchWriter } from './batch-writer.ts';

/** How long what was accepted may take to be in the store, before it is removed from there. */
const FLUSH_WITHIN_MS = 5000;
const RETRY_MS = 1000;

interface StoredHistoryOptions {
  engine: Engine;
  registry: SensorRegistry;
  writer: BatchWriter;
  audit: AuditLog;
  logger: Logger;
}

type Rename = SensorRegistry['pendingRenames'][number];

/**
 * Changes of what the store holds of a sensor. They take turns with the writing of batches, so that no point comes
 * under an id that its sensor has no more. A rename that has begun is finished after a restart, before any write.
 */
export class StoredHistory implements SensorHistory {
  readonly #options: StoredHistoryOptions;
  readonly #stopping = new AbortController();

  constructor(options: StoredHistoryOptions) {
    this.#options = options;
  }

  /** Takes up what was cut short; to be called before the batch writer starts. */
  start(): void {
    for (const rename of this.#options.registry.pendingRenames) this.#carryOut(rename).catch(() => {});
  }

  /** Ends the tries of a rename that the store does not take; it goes on after a restart. */
  stop(): void {
    this.#stopping.abort();
  }

  async count(sensor: string): Promise<number> {
    const { engine, writer } = this.#options;
    await writer.flush(FLUSH_WITHIN_MS);
    return engine.countSensor(sensor);
  }

  async remove(sensor: string): Promise<number> {
    const { engine, writer } = this.#options;
    if ((await writer.flush(FLUSH_WITHIN_MS)) > 0) {
      const message = 'the store is behind what was accepted; what waits would come back after a deletion';
      throw new TidemarkError('store_unavailable', message, { retryable: true });
    }
    const { points } = await writer.betweenSaved(() => engine.deleteSensor(sensor));
    return points;
  }

  async rename(from: string, to: string, cause: Cause): Promise<void> {
    const rename = { from, to, cause };
    this.#options.registry.beginRename(rename);
    await this.#carryOut(rename);
  }

  #carryOut(rename: Rename): Promise<void> {
    const { engine, writer, registry, logger } = this.#options;
    return writer.between(async () => {
      for (let tries = 1; ; tries++) {
        try {
          await engine.renameSensor(rename.from, rename.to);
          return this.#finish(rename, await engine.countSensor(rename.to));
        } catch (error) {
          if (isFinal(error)) {
            logger.error({ err: error, ...rename }, 'a sensor could not be renamed');
            registry.cancelRename(rename);
            throw error;
          }
          if (this.#stopping.signal.aborted) throw error;
          if (tries === 1)
            logger.warn({ err: error, ...rename }, 'a sensor is renamed as soon as that can be done');
          await delay(RETRY_MS, undefined, { signal: this.#stopping.signal }).catch(() => {});
        }
      }
    });
  }

  #finish({ from, to, cause }: Rename, points: number): void {
    const { registry, audit } = this.#options;
    registry.finishRename({ from, to, cause }, () =>
      audit.count(audit.begin({ action: 'sensor.rename', target: { from, to }, cause }), { points }),
    );
  }
}

/** What trying again does not mend; a full disk, which meta.db tells by an error of its own, may heal. */
function isFinal(error: unknown): boolean {
  if (error instanceof TidemarkError) return !error.retryable;
  return !(error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR');
}
