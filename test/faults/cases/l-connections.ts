import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { PlatformProcess } from '../../support/platform-process.ts';
import type { Bench } from '../bench.ts';
import type { FaultCase } from '../fault-case.ts';
import { metricsOf } from '../oracle/metrics.ts';
import { assertKept } from '../oracle/verify.ts';

/** Connections that wait while the process is busy; Linux lets no more than 4096 wait (net.core.somaxconn). */
const WAITING = { short: 1000, long: 4000 };
const WAIT_WITHIN_MS = 20_000;
/** Besides the devices' own. */
const OTHER_FILES = 500;

export const faultCase: FaultCase = {
  id: 'l',
  title: 'many connections, and all of them at once',
  criterion:
    'No connection is refused or dropped, also when all come at once, twice; nothing acknowledged is lost.',
  needs: [{ name: 'a hard limit of 10 500 open files', find: () => openFiles() >= 10_000 + OTHER_FILES }],
  limitSeconds: { short: 240, long: 1800 },
  async run(bench) {
    const connections = bench.choose({ short: 1000, long: 10_000 });
    const platform = await startWithFiles(bench);
    const before = await residentBytes(bench);
    // They connect all at once, and say nothing.
    const idle = bench.publish({ protocol: 'mqtt', connections, ratePerSecond: 0, prefix: 'device' });
    await idle.until(({ connected }) => connected === connections);
    const bytesPerConnection = ((await residentBytes(bench)) - before) / connections;
    bench.progress(`${connections} connections, ${Math.round(bytesPerConnection)} bytes each`);
    assert.equal((await idle.stop()).disconnects, 0);

    const busy = bench.publish({
      ...{ protocol: 'mqtt', connections, window: 1, prefix: 'device' },
      ...{
        ratePerSecond: bench.choose({ short: 200, long: 100 }),
        readings: bench.choose({ short: 3, long: 2 }),
      },
    });
    await busy.until(({ connected }) => connected === connections);
    await busy.untilMore(connections / 2);
    assert.equal(busy.progress.disconnects, 0);
    bench.progress('and again, publishing');
    await platform.end('SIGKILL');
    const restarted = await startWithFiles(bench);
    await busy.until(({ connected, disconnects }) => disconnects >= connections && connected === connections);
    bench.progress('and all again after a crash');
    await busy.untilMore(connections / 2);
    const summary = await busy.stop();
    assert.equal(summary.disconnects, connections, 'a connection was dropped');
    await allWait(bench, restarted);
    bench.progress('and none was turned away while the process was busy');
    const { acknowledged, duplicates } = await assertKept({ httpUrl: bench.httpUrl, summaries: [summary] });
    assert.equal(duplicates, 0);
    return {
      counts: { connections, refused: 0, acknowledged, missing: 0 },
      recorded: { bytesPerConnection, readyMs: platform.readyMs },
    };
  },
};

/** As many connections as may wait come while the process does nothing: the kernel takes them all in. */
async function allWait(bench: Bench, { child }: PlatformProcess): Promise<void> {
  const { hostname: host, port } = new URL(bench.mqttUrl);
  const count = bench.choose(WAITING);
  const sockets: Socket[] = [];
  bench.defer(() => sockets.forEach((socket) => void socket.destroy()));
  child.kill('SIGSTOP');
  const connected = Array.from({ length: count }, () => {
    const socket = createConnection(Number(port), host);
    sockets.push(socket);
    return once(socket, 'connect');
  });
  const waited = delay(WAIT_WITHIN_MS, 'too long', { ref: false });
  const outcome = await Promise.race([Promise.all(connected).then(() => 'connected'), waited]);
  child.kill('SIGCONT');
  const waiting = sockets.filter(({ connecting }) => !connecting).length;
  assert.equal(outcome, 'connected', `only ${waiting} of ${count} connections could wait to be accepted`);
  for (const socket of sockets) socket.destroy();
}

async function startWithFiles(bench: Bench): Promise<PlatformProcess> {
  return bench.startPlatform({ under: ['sh', '-c', 'ulimit -n "$(ulimit -H -n)" && exec "$0" "$@"'] });
}

async function residentBytes(bench: Bench): Promise<number> {
  return (await metricsOf(bench.httpUrl)).sum('process_resident_memory_bytes');
}

function openFiles(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -H -n'], { encoding: 'utf8' }).trim();
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}
