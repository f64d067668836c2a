import { loadConfig, NS_PER_MS, PointColumns, readingToPoint } from '@tidemark/core';
import { startEngine } from '@tidemark/store/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { tempDir } from '../testing/test-parts.ts';
import { EarlierValues } from './earlier-values.ts';
import { ReadingChecks } from './reading-checks.ts';
import { SensorStates } from './sensor-states.ts';

const startMs = Date.UTC(2026, 4, 1);
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** The store with what it holds, checks that have just started, and a clock that stands still at hour 4. */
async function startParts(stored: readonly { sensor: string; atMs: number; value: number | string }[]) {
  const config = loadConfig({
    overrides: { dataDir: await tempDir(), 'quality.stuck': `t=${hourMs}`, 'quality.jumps': 'j=5' },
  });
  const engine = await startEngine(config);
  onTestFinished(() => engine.stop());
  const nowMs = startMs + 4 * hourMs;
  await engine.write(
    stored.map(({ sensor, atMs, value }) => {
      const timeNs = BigInt(startMs + atMs) * NS_PER_MS;
      return readingToPoint({
        sensor,
        location: undefined,
        timeNs,
        values: [
          ['t', value],
          ['j', value],
        ],
      });
    }),
  );
  const failures: string[] = [];
  const directory = { sensor: () => undefined, sensors: () => [], location: () => undefined };
  const checks = new ReadingChecks({
    config,
    directory,
    states: new SensorStates({ maxSensors: 100, onForgotten: () => {} }),
    onFailure: (sensor, check) => failures.push(`${sensor} ${check}`),
  });
  const spool = { endOffset: 100, storeCursor: 100, cursor: () => spool.storeCursor };
  const earlier = new EarlierValues({
    engine,
    spool,
    checks,
    clock: { nowNs: () => BigInt(nowMs) * NS_PER_MS, monotonicMs: () => 0 },
    onStuck: (sensor) => failures.push(`${sensor} found stuck`),
  });
  /** The checks read it; answers what has failed since the call before. */
  const read = (sensor: string, atMs: number, value: number, metric = 't') => {
    const points = new PointColumns();
    const timeNs = BigInt(startMs + atMs) * NS_PER_MS;
    points.push(readingToPoint({ sensor, location: undefined, timeNs, values: [[metric, value]] }));
    checks.check(points, 0, { acceptedMs: startMs + atMs, isLate: false, seenAtMs: 0 });
    return failures.splice(0);
  };
  const look = async () => {
    await earlier.look();
    return failures.splice(0);
  };
  return { earlier, spool, read, look };
}

/** One reading a minute in the hours from `from` to `to`. */
function everyMinute(sensor: string, from: number, to: number, value: number) {
  const minutes = Array.from({ length: (to - from) * 60 }, (_, minute) => from * hourMs + minute * minuteMs);
  return minutes.map((atMs) => ({ sensor, atMs, value }));
}

describe('values of before the start', () => {
  it('are what the first reading is compared with', async () => {
    const { earlier, read } = await startParts([{ sensor: 'a', atMs: 4 * hourMs - minuteMs, value: 10 }]);
    await earlier.takeUp();
    expect(read('a', 4 * hourMs, 15, 'j')).toEqual([]);
    const other = await startParts([{ sensor: 'a', atMs: 4 * hourMs - minuteMs, value: 10 }]);
    await other.earlier.takeUp();
    expect(other.read('a', 4 * hourMs, 15.1, 'j')).toEqual(['a jump']);
  });

  it('give way to what is known already, and are no text', async () => {
    const { earlier, read } = await startParts([
      { sensor: 'a', atMs: 4 * hourMs - minuteMs, value: 10 },
      { sensor: 'b', atMs: 4 * hourMs - minuteMs, value: 'off' },
    ]);
    read('a', 4 * hourMs - 1, 50, 'j');
    await earlier.takeUp();
    expect(read('a', 4 * hourMs, 52, 'j')).toEqual([]);
    expect(read('b', 4 * hourMs, 1, 'j')).toEqual([]);
  });
});

describe('a value that was the same before the start', () => {
  it('for too long is stuck, told once, and goes on being so with each reading', async () => {
    const { look, read } = await startParts(everyMinute('a', 2, 4, 7));
    expect(read('a', 4 * hourMs, 7)).toEqual([]);
    expect(await look()).toEqual(['a found stuck']);
    expect(await look()).toEqual([]);
    expect(read('a', 4 * hourMs + 1, 7)).toEqual(['a stuck']);
    expect(read('a', 4 * hourMs + 2, 8)).toEqual([]);
  });

  it('for less than that is not, and becomes so when the whole time is too long', async () => {
    const { earlier, look, read } = await startParts([
      ...everyMinute('a', 2, 3, 6.9),
      ...everyMinute('a', 3, 4, 7),
    ]);
    await earlier.takeUp();
    expect(await look()).toEqual([]);
    expect(read('a', 4 * hourMs - 1, 7)).toEqual([]);
    // Since when is known to an eighth of the limit.
    expect(read('a', 4 * hourMs + 8 * minuteMs, 7)).toEqual(['a stuck']);
  });

  it('is another when it has changed since', async () => {
    const { look, read } = await startParts(everyMinute('a', 2, 4, 7));
    read('a', 4 * hourMs, 7);
    read('a', 4 * hourMs + 1, 8);
    expect(await look()).toEqual([]);
    expect(read('a', 4 * hourMs + 2, 8)).toEqual([]);
  });

  it('is asked for when the store holds what was accepted by then, not before', async () => {
    const { look, read, spool } = await startParts(everyMinute('a', 2, 4, 7));
    spool.storeCursor = 99;
    read('a', 4 * hourMs, 7);
    expect(await look()).toEqual([]);
    spool.endOffset = 200;
    expect(await look()).toEqual([]);
    spool.storeCursor = 100;
    expect(await look()).toEqual(['a found stuck']);
  });
});
