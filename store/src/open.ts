import { join } from 'node:path';
import type { Clock, Config, Logger, Registry } from '@tidemark/core';
import type { Engine } from './engine.ts';

interface OpenOptions {
  config: Config;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
}

/** The engine that the configuration names, not yet started; the libraries of the other are not loaded. */
export async function openEngine({ config, clock, logger, metrics }: OpenOptions): Promise<Engine> {
  const { memoryBytes, maxSeries, typePolicy } = config.store;
  if (config.store.kind === 'influxdb') {
    const { InfluxEngine } = await import('./influxdb/engine.ts');
    return new InfluxEngine({ influx: config.influx, typePolicy });
  }
  const { EmbeddedEngine } = await import('./embedded/engine.ts');
  const path = join(config.dataDir, 'store');
  const { stayGapMs } = config.travellers;
  return new EmbeddedEngine({ path, memoryBytes, maxSeries, typePolicy, stayGapMs, clock, logger, metrics });
}
