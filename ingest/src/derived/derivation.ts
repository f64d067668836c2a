import {
  type Derivation as DerivationPort,
  type DerivationRequest,
  type DerivationStep,
  type DerivedMetric,
  type Freshness,
  NS_PER_MS,
  TidemarkError,
} from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import type { Definition } from './definitions.ts';
import { deriveStored } from './derive-stored.ts';
import type { DerivedLog } from './derived-log.ts';

/** Readings that one call goes through; then it tells where the next one goes on. */
const MAX_READINGS = 100_000;
/** How long what was accepted may take to be in the store. */
const FLUSH_WITHIN_MS = 2000;

interface DerivationOptions {
  engine: Pick<Engine, 'readings'>;
  freshness: Freshness;
  log: DerivedLog;
  metrics: readonly DerivedMetric[];
  definitions: () => readonly Definition[];
}

/** Derives from what is stored: for a metric that was declared later than its readings came. */
export class Derivation implements DerivationPort {
  readonly #options: DerivationOptions;

  constructor(options: DerivationOptions) {
    this.#options = options;
  }

  get metrics(): readonly DerivedMetric[] {
    return this.#options.metrics;
  }

  async derive({ metric, sensors, fromNs, toNs, isDryRun }: DerivationRequest): Promise<DerivationStep> {
    const { engine, freshness, log, definitions } = this.#options;
    const definition = definitions().find((one) => one.metric === metric);
    if (definition === undefined)
      throw new TidemarkError('not_found', `no metric ${metric} is derived; declare it in the settings`);
    await freshness.flush(FLUSH_WITHIN_MS);
    const marginNs = definition.kind === 'pair' ? definition.withinNs : 0n;
    const step = { readings: 0, values: 0, nextNs: undefined as bigint | undefined };
    const pages = deriveStored({
      engine,
      definition,
      sensors,
      fromNs: fromNs > marginNs ? fromNs - marginNs : 0n,
      toNs,
      isNew: (_sensor, timeNs) => timeNs >= fromNs,
    });
    for await (const { points, readings, lastNs } of pages) {
      // Whoever waits for what is new is not told of it as if it were.
      if (!isDryRun) await log.append({ points: [], late: points });
      step.readings += readings;
      step.values += points.length;
      if (lastNs === undefined || step.readings < MAX_READINGS) continue;
      // Those of the same time are gone through once more; a step of a millisecond is one in any case.
      step.nextNs = lastNs > fromNs ? lastNs : fromNs + NS_PER_MS;
      break;
    }
    return step;
  }
}
