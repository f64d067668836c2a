import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import type { FaultCase } from '../fault-case.ts';
import { metricsOf } from '../oracle/metrics.ts';
import type { Publisher } from '../oracle/publish.ts';
import { assertKept } from '../oracle/verify.ts';
import { type InfluxStore, needsInfluxd, startInfluxStore } from '../store/influx-store.ts';
import {
  assertQueriesTell,
  assertReadyWithoutStore,
  backlogAgeSeconds,
  measureDrain,
  peakMemoryBytes,
  untilStoreIs,
} from '../store/observe.ts';
import type { GateMode } from '../store/store-gate.ts';

const READINGS_PER_SECOND = 10_000;
/** What was seen stays below 0.9 GiB, most of it garbage that V8 leaves until it needs the room. */
const MOST_MEMORY_BYTES = 2 ** 30;
/** Drained at this multiple of the rate that readings come at, an outage is made up for within its own length. */
const LEAST_DRAIN_RATIO = 2;
const reasons = ['unreachable', 'failed', 'throttled', 'unauthorized', 'timeout'];

interface Outage {
  name: string;
  seconds: number;
  begin(): Promise<void> | void;
  end(): Promise<void> | void;
  /** What queries must say. */
  fault: RegExp;
}

export const faultCase: FaultCase = {
  id: 'c',
  title: 'the store down, refusing, throttling, or silent, at 10 000 readings/s',
  criterion:
    'Nothing acknowledged is lost, no client is disconnected, memory stays below 1 GiB, queries are answered by 503 ' +
    'with the reason, and the store catches up at twice the rate that readings come at (asserted in the long form).',
  needs: [needsInfluxd],
  limitSeconds: { short: 480, long: 5400 },
  async run(bench) {
    const store = await startInfluxStore(bench);
    const env = { ...store.env, INFLUX_TIMEOUT_MS: bench.choose({ short: '3000', long: '30000' }) };
    const platform = await bench.startPlatform({ env });
    const publishers = startLoad(bench);
    await Promise.all(publishers.map((publisher) => publisher.untilMore(2000)));
    const recorded: Record<string, number> = {};
    await takeLatencies(publishers, recorded, 'before');
    for (const outage of outagesOf(store, bench)) await live(outage, { bench, publishers, recorded });
    const metrics = await metricsOf(bench.httpUrl);
    for (const reason of reasons)
      assert.ok(
        metrics.get('tidemark_store_write_failures_total', { reason })! > 0,
        `no failure counted as ${reason}`,
      );
    const disconnects = publishers.reduce((sum, { progress }) => sum + progress.disconnects, 0);
    assert.equal(disconnects, 0, `${disconnects} connections were lost`);
    const peakBytes = await peakMemoryBytes(platform.child.pid!);
    assert.ok(peakBytes < MOST_MEMORY_BYTES, `${peakBytes} bytes of memory`);
    recorded.peakMemoryMiB = peakBytes / 2 ** 20;
    const summaries = await Promise.all(publishers.map((publisher) => publisher.stop()));
    const { acknowledged, missing, duplicates } = await assertKept({ httpUrl: bench.httpUrl, summaries });
    assert.equal(duplicates, 0);
    const ratio = recorded.stoppedDrainRatio!;
    // Counts that hold are told by the progress already: a slow machine must not hide them.
    bench.progress(`nothing of ${acknowledged} is missing; ${JSON.stringify(recorded)}`);
    if (bench.mode === 'long') assert.ok(ratio >= LEAST_DRAIN_RATIO, `drained at ${ratio} times the rate`);
    return { counts: { acknowledged, missing, duplicates, disconnects }, recorded };
  },
};

function startLoad(bench: Bench): Publisher[] {
  const rate = READINGS_PER_SECOND;
  return [
    bench.publish({
      protocol: 'mqtt',
      qos: 1,
      connections: 16,
      window: 200,
      ratePerSecond: rate * 0.8,
      prefix: 'q1',
    }),
    bench.publish({
      protocol: 'mqtt',
      qos: 2,
      connections: 4,
      window: 100,
      ratePerSecond: rate * 0.1,
      prefix: 'q2',
    }),
    bench.publish({ protocol: 'http', connections: 2, batch: 50, ratePerSecond: rate * 0.1, prefix: 'http' }),
  ];
}

function outagesOf({ gate, influxd, setTokenActive }: InfluxStore, bench: Bench): Outage[] {
  const seconds = bench.choose({ short: 2, long: 120 });
  const retryAfter = { 'retry-after': bench.choose({ short: '1', long: '20' }) };
  const behindGate = (name: string, mode: GateMode, fault: RegExp): Outage => ({
    name,
    seconds,
    fault,
    begin: () => gate.set(mode),
    end: () => gate.set({ kind: 'pass' }),
  });
  return [
    {
      name: 'stopped',
      seconds: bench.choose({ short: 20, long: 600 }),
      fault: /^InfluxDB: /,
      begin: () => influxd.kill(),
      end: () => influxd.restart(),
    },
    behindGate('answers503', { kind: 'answer', status: 503 }, /503/),
    behindGate('answers429', { kind: 'answer', status: 429, headers: retryAfter }, /429/),
    behindGate('answers401', { kind: 'answer', status: 401 }, /401/),
    {
      name: 'inactiveToken',
      seconds,
      fault: /401.*token/,
      begin: () => setTokenActive(false),
      end: () => setTokenActive(true),
    },
    behindGate('hangs', { kind: 'hang' }, /no answer/),
    {
      name: 'frozen',
      seconds,
      fault: /no answer/,
      begin: () => influxd.freeze(),
      end: () => influxd.thaw(),
    },
  ];
}

interface Stage {
  bench: Bench;
  publishers: readonly Publisher[];
  recorded: Record<string, number>;
}

/** One outage from its beginning until the store has caught up. */
async function live({ name, seconds, begin, end, fault }: Outage, stage: Stage): Promise<void> {
  const { bench, publishers, recorded } = stage;
  const { httpUrl } = bench;
  bench.progress(`the store: ${name} for ${seconds} s`);
  await begin();
  const isOver = delay(seconds * 1000, undefined, { signal: bench.signal });
  const message = await untilStoreIs('fail', httpUrl);
  assert.match(message, /since .*; \d+ bytes wait in the spool$/);
  await assertReadyWithoutStore(httpUrl);
  recorded[`${name}SlowestQueryMs`] = await assertQueriesTell(httpUrl, fault);
  await isOver;
  await takeLatencies(publishers, recorded, name);
  recorded[`${name}BacklogAgeSeconds`] = await backlogAgeSeconds(httpUrl);
  await end();
  const drain = await measureDrain(httpUrl);
  await takeLatencies(publishers, recorded, `${name}Drain`);
  recorded[`${name}DrainRatio`] = drain.pointsPerSecond / READINGS_PER_SECOND;
  recorded[`${name}DrainSeconds`] = drain.seconds;
  recorded[`${name}FirstBatchAfterMs`] = drain.untilFirstMs;
  await untilStoreIs('pass', httpUrl);
}

async function takeLatencies(
  publishers: readonly Publisher[],
  recorded: Record<string, number>,
  phase: string,
): Promise<void> {
  const latencies = await Promise.all(publishers.map((publisher) => publisher.takeLatency()));
  recorded[`${phase}PubackP99Ms`] = latencies[0]!.p99Ms;
}
