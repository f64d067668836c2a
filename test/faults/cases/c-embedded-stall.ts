import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultCase } from '../fault-case.ts';
import { assertKept } from '../oracle/verify.ts';
import { CommitGate } from '../store/commit-gate.ts';
import { assertReadyWithoutStore, measureDrain, peakMemoryBytes, untilStoreIs } from '../store/observe.ts';

const READINGS_PER_SECOND = 10_000;
/** The embedded store's own memory is in it. */
const MOST_MEMORY_BYTES = 1.5 * 2 ** 30;
const LEAST_DRAIN_RATIO = 2;

export const faultCase: FaultCase = {
  id: 'c',
  title: 'the embedded store stalled in a commit, at 10 000 readings/s',
  criterion:
    'Nothing acknowledged is lost, no client is disconnected, memory stays below 1.5 GiB, queries answer and say how ' +
    'far behind they are, and the store catches up at twice the rate that readings come at (asserted in the long form).',
  limitSeconds: { short: 180, long: 2400 },
  async run(bench) {
    const gate = new CommitGate(bench);
    const platform = await bench.startPlatform({ env: gate.env });
    const publisher = bench.publish({
      protocol: 'mqtt',
      connections: 20,
      window: 200,
      ratePerSecond: READINGS_PER_SECOND,
      prefix: 'stall',
    });
    await publisher.untilMore(2000);
    const before = await publisher.takeLatency();
    await gate.close();
    const isOver = delay(bench.choose({ short: 20, long: 600 }) * 1000, undefined, { signal: bench.signal });
    assert.match(await untilStoreIs('fail', bench.httpUrl), /a write takes more than 10 s; since /);
    await assertReadyWithoutStore(bench.httpUrl);
    const answer = await fetch(`${bench.httpUrl}/api/v1/latest`);
    assert.equal(answer.status, 200);
    const lagMs = Number(answer.headers.get('tidemark-lag-ms'));
    assert.ok(lagMs > 0, 'the answer does not say that it is behind');
    await isOver;
    const during = await publisher.takeLatency();
    await gate.open();
    const drain = await measureDrain(bench.httpUrl);
    const whileDraining = await publisher.takeLatency();
    await untilStoreIs('pass', bench.httpUrl);
    const drainRatio = drain.pointsPerSecond / READINGS_PER_SECOND;
    if (bench.mode === 'long')
      assert.ok(drainRatio >= LEAST_DRAIN_RATIO, `drains at ${drainRatio} times the rate`);
    const peakBytes = await peakMemoryBytes(platform.child.pid!);
    assert.ok(peakBytes < MOST_MEMORY_BYTES, `${peakBytes} bytes of memory`);
    const { disconnects } = publisher.progress;
    assert.equal(disconnects, 0, `${disconnects} connections were lost`);
    const summaries = [await publisher.stop()];
    const { acknowledged, missing, duplicates } = await assertKept({ httpUrl: bench.httpUrl, summaries });
    assert.equal(duplicates, 0);
    return {
      counts: { acknowledged, missing, duplicates, disconnects },
      recorded: {
        beforePubackP99Ms: before.p99Ms,
        stalledPubackP99Ms: during.p99Ms,
        drainPubackP99Ms: whileDraining.p99Ms,
        lagMs,
        drainRatio,
        drainSeconds: drain.seconds,
        peakMemoryMiB: peakBytes / 2 ** 20,
      },
    };
  },
};
