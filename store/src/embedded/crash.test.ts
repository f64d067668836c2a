import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { batchOf, batchReadings, crashEngine, passingReadings } from './crash-writer.ts';
import { compareSums } from './stored-sums.ts';

const ROUNDS = 8;
const writerFile = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));

const everything = { fromNs: 0n, toNs: 2n ** 62n, order: 'asc', limit: 1_000_000 } as const;

let path: string;
/** The names that the sensor that comes and goes was found under; none is ''. */
const passed = new Set<string>();

beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'tidemark-crash-')), 'store');
});

afterEach(() => {
  rmSync(dirname(path), { recursive: true });
});

test('kill -9 at any point loses nothing that was committed', { timeout: 120_000 }, async () => {
  let committed = -1;
  let summed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    committed = await writeAndKill(committed + 1, 5 + Math.floor(Math.random() * 40));
    const found = await valuesByBatch();
    const size = batchReadings(0, 0).length;
    for (let batch = 0; batch < committed; batch++) {
      expect(found.get(batch), `batch ${batch} of ${committed}`).toEqual(new Map([[batch + 1, size]]));
    }
    // The batch that was being written may be there as a whole, with what it writes anew.
    const isNextThere = found.has(committed + 1);
    expect(found.get(committed)).toEqual(new Map([[committed + (isNextThere ? 1 : 0), size]]));
    if (isNextThere) {
      committed += 1;
      expect(found.get(committed)).toEqual(new Map([[committed, size]]));
    }
    expect(found.size).toBe(committed + 1);
    await expectPassing();
    summed += await compareSums(path);
  }
  // Else nothing had been summed up.
  expect(summed).toBeGreaterThan(0);
  // Else no kill had hit a renaming or a deletion.
  expect(passed).not.toEqual(new Set(['']));
});

/** The sensor that comes and goes is there as a whole under one of its names, or not at all. */
async function expectPassing(): Promise<void> {
  const engine = crashEngine(path);
  await engine.start();
  const readings = await engine.readings({ ...everything, sensors: ['from', 'to'] });
  const names = new Set(readings.map(({ sensor }) => sensor));
  expect(names.size).toBeLessThanOrEqual(1);
  const [name = ''] = names;
  passed.add(name);
  if (name !== '') {
    const [[, batch]] = readings[0]!.values as [[string, number]];
    const whole = passingReadings(name, batch).sort((a, b) => Number(a.timeNs - b.timeNs));
    expect(readings).toEqual(whole);
    expect(await engine.latest({ sensors: [name] })).toMatchObject([{ timeNs: whole.at(-1)!.timeNs }]);
  }
  // The next run begins with neither.
  expect((await engine.deleteSensor(name)).points).toBe(readings.length);
  await engine.stop();
}

/** Runs the writer until it has committed a number of batches, kills it, and returns the last one reported. */
async function writeAndKill(firstBatch: number, batches: number): Promise<number> {
  const child = spawn(process.execPath, [writerFile, path, String(firstBatch)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let last = firstBatch - 1;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    if (last === firstBatch + batches) setTimeout(() => child.kill('SIGKILL'), Math.random() * 20);
  }
  await exited;
  expect(child.signalCode).toBe('SIGKILL');
  return last;
}

/** For each batch, how many of its readings hold which value. */
async function valuesByBatch(): Promise<Map<number, Map<number, number>>> {
  const engine = crashEngine(path);
  await engine.start();
  const sensors = [...new Set(batchReadings(0, 0).map(({ sensor }) => sensor))];
  const readings = await engine.readings({ ...everything, sensors });
  await engine.stop();
  const batches = new Map<number, Map<number, number>>();
  for (const { timeNs, values } of readings) {
    const value = values[0]![1] as number;
    const counts = batches.get(batchOf(timeNs)) ?? new Map<number, number>();
    counts.set(value, (counts.get(value) ?? 0) + 1);
    batches.set(batchOf(timeNs), counts);
  }
  return batches;
}
