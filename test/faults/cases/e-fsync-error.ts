import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import type { FaultCase } from '../fault-case.ts';
import { untilHealth } from '../oracle/health.ts';
import { assertKept } from '../oracle/verify.ts';
import { Disk } from '../power-cut/disk.ts';
import { follow, straceNeed, tracing } from '../power-cut/follow.ts';

/** Calls of each thread that succeed first: what the start needs, and some group commits. */
const SOUND_CALLS = 15;
const PASSING_FAILURES = 6;

export const faultCase: FaultCase = {
  id: 'e',
  title: 'fsync fails with EIO',
  criterion:
    'What was not synced is not acknowledged, /health says so, no file is synced again after it failed, ' +
    'and after a power cut nothing acknowledged is missing.',
  needs: [straceNeed],
  limitSeconds: { short: 180, long: 600 },
  async run(bench) {
    const rounds = bench.choose({ short: 1, long: 10 });
    const root = join(bench.directory, 'disk');
    await mkdir(root);
    const disk = new Disk(root);
    const publisher = bench.publish({ protocol: 'mqtt', connections: 4, ratePerSecond: 2000, prefix: 'eio' });
    for (let round = 0; round < rounds; round++) {
      bench.progress(`round ${round + 1} of ${rounds}: passing, then lasting failures, then a restart`);
      await passing(bench, disk, publisher);
      await lasting(bench, disk, publisher);
      await restarted(bench, disk, publisher);
    }
    assert.deepEqual(disk.syncedAgain, []);
    // Of the store, what the log of DuckDB lacks after a power cut is written again from the spool.
    const inSpool = disk.falselySynced.filter((path) => path.startsWith(join(root, 'data', 'spool')));
    assert.deepEqual(inSpool, []);
    await bench.startPlatform({ dataDir: join(root, 'data') });
    const summary = await publisher.stop();
    const { acknowledged, missing } = await assertKept({ httpUrl: bench.httpUrl, summaries: [summary] });
    const { failedSyncs } = disk;
    assert.ok(failedSyncs > rounds * PASSING_FAILURES);
    return { counts: { acknowledged, missing, failedSyncs, syncedAgain: 0 }, recorded: {} };
  },
};

type Publisher = ReturnType<Bench['publish']>;

/** Some calls fail, of the log and then of its folder; the platform goes on by itself. */
async function passing(bench: Bench, disk: Disk, publisher: Publisher): Promise<void> {
  const first = SOUND_CALLS + Math.floor(bench.random() * SOUND_CALLS);
  const when = `when=${first}..${first + PASSING_FAILURES - 1}`;
  await under(bench, disk, [`inject=fdatasync:error=EIO:${when}`], async () => {
    const { message } = await untilHealth(bench.httpUrl, 'spool', 'fail');
    assert.match(message, /EIO/);
    await untilHealth(bench.httpUrl, 'spool', 'pass');
    await publisher.untilMore(100);
  });
  await disk.cut(() => false);
}

/** From one call on each fails; what waits is held, and told so over HTTP. */
async function lasting(bench: Bench, disk: Disk, publisher: Publisher): Promise<void> {
  const first = SOUND_CALLS + Math.floor(bench.random() * SOUND_CALLS);
  await under(bench, disk, [`inject=fdatasync,fsync:error=EIO:when=${first}+`], async () => {
    let acknowledged = await untilHeld(bench, publisher);
    // A thread that has done little so far still succeeds, and what it synced is rightly acknowledged.
    while ((await postStatus(bench.httpUrl)) !== 503) acknowledged = await untilHeld(bench, publisher);
    const { message } = await untilHealth(bench.httpUrl, 'spool', 'fail');
    assert.match(message, /EIO/);
    assert.equal(publisher.progress.acknowledged, acknowledged);
  });
  disk.restart();
}

/** The disk is well again, and the power fails only now: what could not be synced is still read from the log. */
async function restarted(bench: Bench, disk: Disk, publisher: Publisher): Promise<void> {
  await under(bench, disk, [], async () => {
    await publisher.untilMore(100);
  });
  await disk.cut(() => false);
}

/**
 * Waits until a connection was closed because nothing was acknowledged for 5 s: strace counts calls by thread,
 * so that at first the other threads' still succeed. Returns how many were acknowledged by then.
 */
async function untilHeld({ httpUrl }: Bench, publisher: Publisher): Promise<number> {
  for (;;) {
    await untilHealth(httpUrl, 'spool', 'fail');
    const { acknowledged, disconnects } = { ...(await publisher.settled()) };
    const next = await publisher.until(
      (progress) => progress.acknowledged > acknowledged || progress.disconnects > disconnects,
    );
    if (next.acknowledged === acknowledged) return acknowledged;
  }
}

/** Runs the platform with failing calls, kills it, and has the disk see what it did. */
async function under(
  bench: Bench,
  disk: Disk,
  faults: readonly string[],
  during: () => Promise<void>,
): Promise<void> {
  const log = join(bench.directory, 'strace.log');
  const platform = await bench.startPlatform({
    dataDir: join(bench.directory, 'disk', 'data'),
    under: tracing(
      log,
      faults.flatMap((fault) => ['-e', fault]),
    ),
  });
  await during();
  await platform.end('SIGKILL');
  await follow(disk, log, platform);
  await rm(log);
}

async function postStatus(httpUrl: string): Promise<number> {
  const { status } = await fetch(`${httpUrl}/api/v1/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sensor: 'held', value: 1 }),
  });
  return status;
}
