import { type Config, createMetrics, silentLogger, systemClock } from '@tidemark/core';
import type { Engine } from '../src/engine.ts';
import { openEngine } from '../src/open.ts';

/** The engine that a configuration names, started, with the system's clock and no log. Call `stop` in the end. */
export async function startEngine(config: Config): Promise<Engine> {
  const shared = { clock: systemClock, logger: silentLogger, metrics: createMetrics() };
  const engine = await openEngine({ config, ...shared });
  await engine.start();
  return engine;
}
