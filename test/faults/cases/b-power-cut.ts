import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import type { FaultCase } from '../fault-case.ts';
import { metricsOf } from '../oracle/metrics.ts';
import { assertKept } from '../oracle/verify.ts';
import { Disk } from '../power-cut/disk.ts';
import { follow, straceNeed, tracing } from '../power-cut/follow.ts';

const LEAST_ACKNOWLEDGED = 200;
const MOST_RUNNING_MS = 3000;

export const faultCase: FaultCase = {
  id: 'b',
  title: 'power cuts: what was not fsynced is lost',
  criterion:
    'With nothing left but what an fsync had covered, or with random sectors of the rest, no acknowledged reading is missing, and the database of MQTT sessions can be read.',
  needs: [straceNeed],
  limitSeconds: { short: 180, long: 1800 },
  async run(bench) {
    const cuts = bench.choose({ short: 5, long: 60 });
    const root = join(bench.directory, 'disk');
    await mkdir(root);
    const disk = new Disk(root);
    const publishers = [
      bench.publish({ protocol: 'mqtt', connections: 4, window: 50, ratePerSecond: 3000, prefix: 'qos1' }),
      bench.publish({ protocol: 'mqtt', qos: 2, connections: 2, ratePerSecond: 500, prefix: 'qos2' }),
      bench.publish({ protocol: 'http', connections: 2, batch: 20, ratePerSecond: 500, prefix: 'http' }),
    ];
    const readyMs: number[] = [];
    let damagedSessions = 0;
    for (let cut = 0; cut < cuts; cut++) {
      const log = join(bench.directory, `strace-${cut}.log`);
      const platform = await bench.startPlatform(onDisk(root, log));
      readyMs.push(platform.readyMs);
      damagedSessions += await damagedSessionsOf(bench);
      await Promise.all(publishers.map((publisher) => publisher.untilMore(LEAST_ACKNOWLEDGED)));
      await delay(bench.random() * MOST_RUNNING_MS);
      await endAbruptly(bench, platform);
      bench.progress(`power cut ${cut + 1} of ${cuts}: ended`);
      await follow(disk, log, platform);
      await disk.assertSame();
      await rm(log);
      // Every other time nothing that was not synced survives; else each sector by chance.
      const isStrict = cut % 2 === 0;
      await disk.cut(() => !isStrict && bench.random() < 0.5);
      bench.progress(`power cut ${cut + 1} of ${cuts}`);
    }
    await bench.startPlatform({ dataDir: join(root, 'data') });
    damagedSessions += await damagedSessionsOf(bench);
    const summaries = await Promise.all(publishers.map((publisher) => publisher.stop()));
    const { acknowledged, missing, duplicates } = await assertKept({ httpUrl: bench.httpUrl, summaries });
    assert.equal(duplicates, 0);
    assert.equal(damagedSessions, 0);
    return {
      counts: { cuts, acknowledged, missing, duplicates },
      recorded: { slowestReadyMs: Math.max(...readyMs) },
    };
  },
};

function onDisk(root: string, log: string) {
  // Small segments, so that some are begun, passed by the cursors and removed in each round.
  const env = { TIDEMARK_SPOOL_SEGMENT_BYTES: '100000' };
  return { dataDir: join(root, 'data'), env, under: tracing(log) };
}

async function damagedSessionsOf({ httpUrl }: Bench): Promise<number> {
  const metrics = await metricsOf(httpUrl);
  return metrics.get('tidemark_broker_damaged_sessions_total') ?? Number.NaN;
}

/** Mostly from full work, sometimes from within an orderly stop. */
async function endAbruptly(
  bench: Bench,
  platform: Awaited<ReturnType<Bench['startPlatform']>>,
): Promise<void> {
  if (bench.random() < 0.25) {
    platform.child.kill('SIGTERM');
    await delay(bench.random() * 300);
  }
  await platform.end('SIGKILL');
}
