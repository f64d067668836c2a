import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseTime } from '@tidemark/core';
import type { PlatformProcess } from '../../support/platform-process.ts';
import type { Bench } from '../bench.ts';
import type { FaultCase } from '../fault-case.ts';
import { type Metrics, metricsOf } from '../oracle/metrics.ts';
import { assertKept } from '../oracle/verify.ts';

const preload = fileURLToPath(new URL('../shifted-clock.ts', import.meta.url));
const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
/** The last step back goes over times that were given a moment ago. */
const SHIFTS_MS = [HOUR_MS, 0, -HOUR_MS, 0, -2000, 0];
/** What stamps may be ahead of the clock: a step that small is waited out. */
const MOST_AHEAD_MS = 1000;

export const faultCase: FaultCase = {
  id: 'j',
  title: 'clock skew: devices a year off, and a server whose clock is set',
  criterion:
    'A year behind is stored as given and a year ahead quarantined; with the clock set by an hour or a year, no ' +
    'reading without a time meets another or is refused, nobody is disconnected, and everything is counted.',
  limitSeconds: { short: 120, long: 900 },
  async run(bench) {
    const clock = new ShiftedClock(bench);
    await clock.shiftBy(0);
    let platform = await clock.startPlatform();
    const devices = bench.choose({ short: 50, long: 5000 });
    await devicesOff(bench, devices);
    await trustsNoClock(bench);

    const publishers = [
      { protocol: 'mqtt', qos: 1, connections: 2, window: 20, ratePerSecond: 1000, prefix: 'qos1' } as const,
      { protocol: 'http', connections: 1, batch: 10, ratePerSecond: 500, prefix: 'http' } as const,
    ].map((load) => bench.publish({ ...load, time: 'server' }));
    const steps = bench.choose({ short: 1, long: 20 });
    for (let step = 0; step < steps; step++) {
      for (const shiftMs of SHIFTS_MS) {
        await Promise.all(publishers.map((publisher) => publisher.untilMore(500)));
        await clock.setWhileRunning(platform, shiftMs);
        await Promise.all(publishers.map((publisher) => publisher.untilMore(500)));
        await assertFollowed(bench, clock);
      }
      bench.progress(`set ${SHIFTS_MS.length * (step + 1)} times`);
    }
    const disconnects = publishers.reduce((sum, { progress }) => sum + progress.disconnects, 0);
    assert.equal(disconnects, 0, 'a clock that was set disconnected somebody');

    // A year ahead, stopped in the middle, and right again.
    await platform.end('SIGKILL');
    await clock.shiftBy(YEAR_MS);
    platform = await clock.startPlatform();
    await assertFollowed(bench, clock);
    await Promise.all(publishers.map((publisher) => publisher.untilMore(100)));
    await platform.end('SIGKILL');
    await clock.shiftBy(0);
    platform = await clock.startPlatform();
    await Promise.all(publishers.map((publisher) => publisher.untilMore(100)));
    await assertFollowed(bench, clock);
    assert.equal((await metricsOf(bench.httpUrl)).sum('tidemark_ingest_quarantined_total'), 0);
    assert.equal((await metricsOf(bench.httpUrl)).sum('tidemark_ingest_stamp_eras_total'), 1);

    const summaries = await Promise.all(publishers.map((publisher) => publisher.stop()));
    // Those stamped a year ahead are beyond the range that is asked for, until the clock is there.
    await platform.end('SIGTERM');
    await clock.shiftBy(YEAR_MS);
    await clock.startPlatform();
    const { acknowledged, missing, duplicates } = await assertKept({ httpUrl: bench.httpUrl, summaries });
    assert.equal(duplicates, 0);
    return {
      counts: { acknowledged, missing, duplicates, steps: SHIFTS_MS.length * steps, devices },
      recorded: {},
    };
  },
};

class ShiftedClock {
  readonly #bench: Bench;
  readonly #file: string;
  #shiftMs = 0;

  constructor(bench: Bench) {
    this.#bench = bench;
    this.#file = join(bench.directory, 'clock');
  }

  /** What the platform's clock says now. */
  nowMs(): number {
    return Date.now() + this.#shiftMs;
  }

  /** For the next start. */
  async shiftBy(shiftMs: number): Promise<void> {
    this.#shiftMs = shiftMs;
    await writeFile(this.#file, String(shiftMs));
  }

  startPlatform(): Promise<PlatformProcess> {
    const env = { SHIFTED_CLOCK: this.#file, NODE_OPTIONS: `--import=${preload}` };
    return this.#bench.startPlatform({ env });
  }

  /** Resolves when the platform has counted the step. */
  async setWhileRunning(platform: PlatformProcess, shiftMs: number): Promise<void> {
    const direction = shiftMs > this.#shiftMs ? 'forward' : 'back';
    const steps = (metrics: Metrics): number => metrics.get('tidemark_clock_steps_total', { direction }) ?? 0;
    const before = steps(await metricsOf(this.#bench.httpUrl));
    await this.shiftBy(shiftMs);
    platform.child.kill('SIGUSR2');
    while (steps(await metricsOf(this.#bench.httpUrl)) !== before + 1) await delay(50);
  }
}

/** Devices whose clock is a year off, each with one reading behind and one ahead. */
async function devicesOff(bench: Bench, devices: number): Promise<void> {
  const nowMs = Date.now();
  const readings = (timeMs: number) =>
    Array.from({ length: devices }, (_, n) => ({ sensor: `off-${n}`, value: n, time: timeMs }));
  const behind = await record(bench, readings(nowMs - YEAR_MS));
  assert.equal(behind.ids.length, devices);
  assert.ok(behind.ids.every((id) => id.endsWith(`@${nowMs - YEAR_MS}000000`)));
  const ahead = await record(bench, readings(nowMs + YEAR_MS));
  assert.deepEqual([ahead.ids.length, ahead.rejected.length], [0, devices]);
  assert.ok(ahead.rejected.every(({ code }) => code === 'time_out_of_range'));
  const metrics = await metricsOf(bench.httpUrl);
  const off = metrics.get('tidemark_ingest_off_clock_points_total', { direction: 'behind' });
  const refused = metrics.get('tidemark_ingest_quarantined_total', { reason: 'time_out_of_range' });
  assert.deepEqual({ off, refused }, { off: devices, refused: devices });
}

/** A sensor that is registered with the server's time is stamped, however far off its own is. */
async function trustsNoClock(bench: Bench): Promise<void> {
  const declared = await fetch(`${bench.httpUrl}/api/v1/sensors`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: 'no-clock', timeFrom: 'server' }),
  });
  assert.equal(declared.status, 201);
  const fromMs = Date.now();
  const times = [fromMs - YEAR_MS, fromMs, fromMs + YEAR_MS];
  const { ids } = await record(
    bench,
    times.map((time, value) => ({ sensor: 'no-clock', value, time })),
  );
  assert.equal(new Set(ids).size, times.length);
  for (const id of ids) assertWithin(timeOf(id), fromMs, Date.now());
  assert.equal(
    (await metricsOf(bench.httpUrl)).sum('tidemark_ingest_server_timed_points_total'),
    times.length,
  );
}

/** A reading without a time gets what the platform's clock says now. */
async function assertFollowed(bench: Bench, clock: ShiftedClock): Promise<void> {
  const fromMs = clock.nowMs();
  const { ids } = await record(bench, [{ sensor: 'follower', value: 1 }]);
  assertWithin(timeOf(ids[0]!), fromMs, clock.nowMs());
}

function assertWithin(timeMs: number, fromMs: number, toMs: number): void {
  assert.ok(
    timeMs >= fromMs - 1 && timeMs <= toMs + MOST_AHEAD_MS,
    `stamped ${timeMs - fromMs} ms after it was sent, by the platform's clock`,
  );
}

function timeOf(id: string): number {
  return Number(parseTime(BigInt(id.split('@')[1]!))! / 1_000_000n);
}

async function record(bench: Bench, readings: readonly Record<string, unknown>[]) {
  const response = await fetch(`${bench.httpUrl}/api/v1/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(readings),
  });
  return (await response.json()) as { ids: string[]; rejected: { code: string }[] };
}
