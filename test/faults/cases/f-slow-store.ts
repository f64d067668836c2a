import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import type { FaultCase } from '../fault-case.ts';
import type { Summary } from '../oracle/load.ts';
import { assertKept } from '../oracle/verify.ts';
import { CommitGate } from '../store/commit-gate.ts';
import { needsInfluxd, startInfluxStore } from '../store/influx-store.ts';
import { measureDrain } from '../store/observe.ts';

const WRITE_MS = 5000;
const READINGS_PER_SECOND = 5000;
/** Acknowledged while the store does not take a single batch: what waits for it would never come. */
const ACKNOWLEDGED_MEANWHILE = 10_000;

/** A store whose writes can be made slow, and held altogether. */
interface SlowStore {
  name: string;
  env: Record<string, string>;
  beSlow(signal: AbortSignal): Promise<void>;
  hold(): Promise<void> | void;
  beFast(): Promise<void> | void;
}

export const faultCase: FaultCase = {
  id: 'f',
  title: 'a store that takes 5 s for each write',
  criterion:
    'Acknowledgements do not wait for the store: they go on while it takes nothing, and their p99 beside a slow store is ' +
    'like that beside a fast one (recorded); nothing is lost.',
  needs: [needsInfluxd],
  limitSeconds: { short: 200, long: 1800 },
  async run(bench) {
    const recorded: Record<string, number> = {};
    let acknowledged = 0;
    for (const open of [slowInfluxDb, slowEmbedded]) {
      const store = await open(bench);
      const dataDir = `${bench.dataDir}-${store.name}`;
      const platform = await bench.startPlatform({ env: store.env, dataDir });
      const summary = await publishBeside(store, bench, recorded);
      const verdict = await assertKept({ httpUrl: bench.httpUrl, summaries: [summary] });
      assert.equal(verdict.duplicates, 0);
      acknowledged += verdict.acknowledged;
      await platform.end('SIGTERM');
    }
    return { counts: { acknowledged, missing: 0, duplicates: 0 }, recorded };
  },
};

/** Publishes beside the store while it is fast, slow, and takes nothing. */
async function publishBeside(
  store: SlowStore,
  bench: Bench,
  recorded: Record<string, number>,
): Promise<Summary> {
  const publisher = bench.publish({
    protocol: 'mqtt',
    connections: 10,
    window: 100,
    ratePerSecond: READINGS_PER_SECOND,
    prefix: store.name,
  });
  await publisher.untilMore(READINGS_PER_SECOND);
  await publisher.takeLatency();
  const note = async (phase: string, seconds: number): Promise<void> => {
    await delay(bench.choose({ short: seconds, long: 120 }) * 1000, undefined, { signal: bench.signal });
    recorded[`${store.name}${phase}PubackP99Ms`] = (await publisher.takeLatency()).p99Ms;
  };
  await note('Fast', 3);
  const isOver = new AbortController();
  const slowness = store.beSlow(isOver.signal);
  // Long enough for a write.
  await note('Slow', (WRITE_MS / 1000) * 1.5);
  isOver.abort();
  await slowness;
  await store.hold();
  await publisher.untilMore(ACKNOWLEDGED_MEANWHILE);
  await store.beFast();
  await measureDrain(bench.httpUrl);
  return publisher.stop();
}

async function slowInfluxDb(bench: Bench): Promise<SlowStore> {
  const { env, gate } = await startInfluxStore(bench);
  return {
    name: 'influxdb',
    env: { ...env, INFLUX_TIMEOUT_MS: '10000' },
    beSlow: async () => gate.set({ kind: 'slow', writeMs: WRITE_MS }),
    hold: () => gate.set({ kind: 'hang' }),
    beFast: () => gate.set({ kind: 'pass' }),
  };
}

async function slowEmbedded(bench: Bench): Promise<SlowStore> {
  const gate = new CommitGate(bench);
  return {
    name: 'embedded',
    env: gate.env,
    beSlow: async (signal) => {
      await gate.close();
      while (!signal.aborted) {
        await delay(WRITE_MS, undefined, { signal }).catch(() => {});
        await gate.letOneThrough();
      }
    },
    hold: () => {},
    beFast: () => gate.open(),
  };
}
