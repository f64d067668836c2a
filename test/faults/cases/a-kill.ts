import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import type { FaultCase } from '../fault-case.ts';
import { growSpool } from '../grow-spool.ts';
import { assertKept } from '../oracle/verify.ts';

const MOST_RUNNING_MS = 1500;
/** So that every kill has something to interrupt. */
const LEAST_ACKNOWLEDGED = 20;

export const faultCase: FaultCase = {
  id: 'a',
  title: 'kill -9 at random points during ingest',
  criterion: 'No acknowledged reading is missing after any kill, and none is changed or doubled.',
  limitSeconds: { short: 180, long: 1800 },
  async run(bench) {
    const kills = bench.choose({ short: 10, long: 100 });
    const loads = [
      { protocol: 'mqtt', qos: 1, connections: 4, window: 50, ratePerSecond: 4000, prefix: 'qos1' },
      { protocol: 'mqtt', qos: 2, connections: 2, window: 20, ratePerSecond: 1000, prefix: 'qos2' },
      { protocol: 'http', connections: 2, batch: 20, ratePerSecond: 1000, prefix: 'http' },
    ] as const;
    const publishers = loads.map((load) => bench.publish(load));
    const readyMs: number[] = [];
    for (let kill = 0; kill < kills; kill++) {
      const platform = await bench.startPlatform({ env: { TIDEMARK_SPOOL_SEGMENT_BYTES: '1000000' } });
      readyMs.push(platform.readyMs);
      await Promise.all(publishers.map((publisher) => publisher.untilMore(LEAST_ACKNOWLEDGED)));
      await delay(bench.random() * MOST_RUNNING_MS);
      await platform.end('SIGKILL');
      bench.progress(`kill ${kill + 1} of ${kills}`);
    }
    const platform = await bench.startPlatform();
    const summaries = await Promise.all(publishers.map((publisher) => publisher.stop()));
    const { acknowledged, missing, duplicates } = await assertKept({ httpUrl: bench.httpUrl, summaries });
    assert.equal(duplicates, 0);
    const resent = summaries.reduce((sum, summary) => sum + summary.resent, 0);
    await platform.end('SIGKILL');
    const spoolBytes = bench.choose({ short: 100e6, long: 1e9 });
    const readyWithLargeSpoolMs = await restartWithSpool(bench, spoolBytes);
    return {
      counts: { kills, acknowledged, missing, duplicates },
      recorded: { resent, slowestReadyMs: Math.max(...readyMs), spoolBytes, readyWithLargeSpoolMs },
    };
  },
};

/** How long the platform takes until it is ready, and takes readings, with so much in its spool. */
async function restartWithSpool(bench: Bench, bytes: number): Promise<number> {
  await growSpool(bench.dataDir, bytes);
  const { readyMs } = await bench.startPlatform();
  const publisher = bench.publish({
    protocol: 'mqtt',
    connections: 1,
    readings: 100,
    prefix: 'after-restart',
  });
  await publisher.until(({ acknowledged }) => acknowledged === 100);
  return readyMs;
}
