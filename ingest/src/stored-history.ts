import { setTimeout as delay } from 'node:timers/promises';
import {
  type Cause,
  type Clock,
  type Logger,
  type PartHealth,
  type SensorHistory,
  TidemarkError,
  type UnfinishedRename,
} from '@tidemark/core';
import type { AuditLog, Engine, SensorRegistry } from '@tidemark/store';
import type { BatchWriter } from './batch-writer.ts';
import { Outage } from './outage.ts';

/** How long what was accepted may take to be in the store, before it is removed from there. */
const FLUSH_WITHIN_MS = 5000;
/** Pauses between tries of a rename, doubled from the first to the last. */
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 15_000;
/** Refused renames that are kept to be told. */
const MAX_REFUSED = 100;
/** Renames that health tells of one by one. */
const MAX_TOLD = 5;

interface StoredHistoryOptions {
  engine: Engine;
  registry: SensorRegistry;
  writer: BatchWriter;
  audit: AuditLog;
  clock: Clock;
  logger: Logger;
  /** Told of each sensor that the store may hold something else of now, before anything more is written. */
  onChanged: (sensor: string) => void;
}

type Rename = SensorRegistry['pendingRenames'][number];

/**
 * Changes of what the store holds of a sensor. They take turns with the writing of batches, so that no point comes
 * under an id that its sensor has no more. A rename that has begun is tried first after a restart, before any write.
 */
export class StoredHistory implements SensorHistory {
  readonly #options: StoredHistoryOptions;
  readonly #stopping = new AbortController();
  /** By the id that is to change: those that are tried, and the newest of those that the store refused. */
  readonly #waiting = new Map<string, { to: string; outage: Outage }>();
  readonly #refused = new Map<string, UnfinishedRename>();

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
    const { points } = await writer.betweenSaved(() =>
      engine.deleteSensor(sensor).finally(() => this.#options.onChanged(sensor)),
    );
    return points;
  }

  async rename(from: string, to: string, cause: Cause): Promise<void> {
    const rename = { from, to, cause };
    this.#options.registry.beginRename(rename);
    await this.#carryOut(rename);
  }

  renameOf(sensor: string): UnfinishedRename | undefined {
    const waiting = this.#waiting.get(sensor);
    if (waiting === undefined) return this.#refused.get(sensor);
    return { to: waiting.to, state: 'waiting', reason: waiting.outage.fault };
  }

  /** Fails while a rename that was tried waits; names those that were refused as long as their sensors are there. */
  health(): PartHealth {
    const waiting = [...this.#waiting].flatMap(([from, { to, outage }]) =>
      outage.fault === undefined ? [] : [`${from} is not renamed to ${to} yet: ${outage.fault}`],
    );
    const refused = [...this.#refused]
      .filter(([from]) => this.#options.registry.sensor(from)?.id === from)
      .map(([from, { to, reason }]) => `${from} keeps its id, it could not be renamed to ${to}: ${reason}`);
    const all = [...waiting, ...refused];
    const more = all.length > MAX_TOLD ? [`and ${all.length - MAX_TOLD} more`] : [];
    const message = [...all.slice(0, MAX_TOLD), ...more].join('; ') || 'none waits';
    return { name: 'renames', status: waiting.length > 0 ? 'fail' : 'pass', message };
  }

  /** Tries until it is done or refused for good. Batches are written between two tries. */
  async #carryOut(rename: Rename): Promise<void> {
    const { from, to } = rename;
    const { signal } = this.#stopping;
    const outage = this.#outageOf(rename);
    this.#refused.delete(from);
    this.#waiting.set(from, { to, outage });
    try {
      for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)) {
        try {
          const refusal = await this.#options.writer.between(() => this.#tryOnce(rename, outage));
          if (refusal === undefined) return outage.ended();
          this.#noteRefused(rename, refusal);
          throw refusal;
        } catch (error) {
          if (isFinal(error)) throw error;
          outage.failed(error);
          await this.#pause(retryMs);
          if (signal.aborted) throw error;
        }
      }
    } finally {
      outage.stop();
      this.#waiting.delete(from);
    }
  }

  /** Answers why the store refuses it for good, if it does: then nothing has changed. Throws what may heal. */
  async #tryOnce(rename: Rename, outage: Outage): Promise<TidemarkError | undefined> {
    const { engine, registry } = this.#options;
    try {
      await engine.renameSensor(rename.from, rename.to);
    } catch (error) {
      if (!isFinal(error)) throw error;
      registry.cancelRename(rename);
      return error;
    } finally {
      for (const sensor of [rename.from, rename.to]) this.#options.onChanged(sensor);
    }
    await this.#finish(rename, outage);
    return undefined;
  }

  /** The store has done it: it cannot be undone, and a point that was written under the old id would stay there. */
  async #finish({ from, to, cause }: Rename, outage: Outage): Promise<void> {
    const { engine, registry, audit } = this.#options;
    const points = await engine.countSensor(to).catch(() => undefined);
    const leaveLine = () => {
      const id = audit.begin({ action: 'sensor.rename', target: { from, to }, cause });
      if (points !== undefined) audit.count(id, { points });
    };
    for (;;) {
      try {
        registry.finishRename({ from, to, cause }, leaveLine);
        return;
      } catch (error) {
        outage.failed(error);
        if (this.#stopping.signal.aborted) throw error;
        await this.#pause(FIRST_RETRY_MS);
      }
    }
  }

  #noteRefused({ from, to }: Rename, refusal: TidemarkError): void {
    this.#options.logger.error({ err: refusal, from, to }, 'a sensor could not be renamed; it keeps its id');
    this.#refused.set(from, { to, state: 'refused', reason: refusal.message });
    for (const [oldest] of this.#refused) if (this.#refused.size > MAX_REFUSED) this.#refused.delete(oldest);
  }

  #outageOf({ from, to }: Rename): Outage {
    return new Outage({
      ...this.#options,
      figures: () => ({ from, to }),
      texts: {
        begun:
          'a sensor is renamed as soon as that can be done; until then its readings come under its old id',
        lasting: 'a sensor still cannot be renamed',
        ended: 'the sensor is renamed',
      },
    });
  }

  async #pause(pauseMs: number): Promise<void> {
    await delay(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}

/** What trying again does not mend. An error that nobody foresaw may heal, and undoing is safe only where one says so. */
function isFinal(error: unknown): error is TidemarkError {
  return error instanceof TidemarkError && !error.retryable;
}
