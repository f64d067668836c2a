import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import type { FaultCase } from '../fault-case.ts';
import { untilHealth } from '../oracle/health.ts';
import type { Progress } from '../oracle/load.ts';
import type { Publisher } from '../oracle/publish.ts';
import { assertKept } from '../oracle/verify.ts';
import { mountNeed, SmallDisk } from '../small-disk.ts';

const REFILL_EVERY_MS = 20;
/** Far more than what is left to be written when the disk is full has room for. */
const MOST_ACKNOWLEDGED = 20_000;

export const faultCase: FaultCase = {
  id: 'd',
  title: 'the disk is full: that of the spool, then that of everything',
  criterion:
    'Publishers are held back and nothing is acknowledged that cannot be kept; queries go on; work resumes without a restart.',
  needs: [mountNeed],
  limitSeconds: { short: 240, long: 900 },
  async run(bench) {
    const rounds = bench.choose({ short: 1, long: 5 });
    const spool = await runOn(bench, 'spool-only', rounds);
    const all = await runOn(bench, 'everything', rounds);
    return {
      counts: { acknowledged: spool.acknowledged + all.acknowledged, missing: spool.missing + all.missing },
      recorded: {},
    };
  },
};

async function runOn(bench: Bench, kind: 'spool-only' | 'everything', rounds: number) {
  const dataDir = join(bench.directory, kind);
  const mountPoint = kind === 'everything' ? dataDir : join(dataDir, 'spool');
  const disk = SmallDisk.mount(bench, mountPoint, 64);
  const platform = await bench.startPlatform({ dataDir, env: { TIDEMARK_SPOOL_SEGMENT_BYTES: '1000000' } });
  const publishers = [
    bench.publish({ protocol: 'mqtt', connections: 4, ratePerSecond: 2000, prefix: `${kind}-mqtt` }),
    bench.publish({
      protocol: 'http',
      connections: 1,
      batch: 20,
      ratePerSecond: 500,
      prefix: `${kind}-http`,
    }),
  ];
  for (let round = 0; round < rounds; round++) {
    bench.progress(`${kind}: full ${round + 1} of ${rounds}`);
    for (const publisher of publishers) await publisher.untilMore(500);
    await untilHeld(disk, publishers[0]!);
    await assertHeld(bench, publishers, kind);
    disk.makeRoom();
    await untilHealth(bench.httpUrl, 'spool', 'pass');
    for (const publisher of publishers) await publisher.untilMore(500);
  }
  const summaries = await Promise.all(publishers.map((publisher) => publisher.stop()));
  const verdict = await assertKept({ httpUrl: bench.httpUrl, summaries });
  assert.equal(verdict.duplicates, 0);
  await platform.end('SIGKILL');
  return verdict;
}

/** Keeps the disk full, whatever room the platform makes, until a connection has waited too long. */
async function untilHeld(disk: SmallDisk, publisher: Publisher): Promise<void> {
  const { disconnects, acknowledged } = { ...publisher.progress };
  const timer = setInterval(() => disk.fill(), REFILL_EVERY_MS);
  const isHeldOrTooFar = (progress: Progress): boolean =>
    progress.disconnects > disconnects || progress.acknowledged > acknowledged + MOST_ACKNOWLEDGED;
  const progress = await publisher.until(isHeldOrTooFar).finally(() => clearInterval(timer));
  assert.ok(progress.disconnects > disconnects, 'readings are acknowledged though there is no room for them');
}

async function assertHeld({ httpUrl }: Bench, publishers: readonly Publisher[], kind: string): Promise<void> {
  const { message } = await untilHealth(httpUrl, 'spool', 'fail');
  assert.match(message, /ENOSPC/);
  const before: number[] = [];
  for (const publisher of publishers) before.push((await publisher.settled()).acknowledged);
  const posted = await fetch(`${httpUrl}/api/v1/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sensor: 'held', value: 1 }),
  });
  assert.equal(posted.status, 503);
  assert.ok(Number(posted.headers.get('retry-after')) > 0);
  const queried = await fetch(`${httpUrl}/api/v1/readings?sensor=${kind}-mqtt-0&limit=1`);
  assert.equal(queried.status, 200, await queried.text());
  const after = publishers.map(({ progress }) => progress.acknowledged);
  assert.deepEqual(after, before, 'nothing is acknowledged while the disk is full');
}
