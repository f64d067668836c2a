import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { batchOf, batchReadings, crashEngine } from './crash-writer.ts';

const ROUNDS = 5;
const writerFile = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));

let path: string;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'tidemark-crash-'));
});

afterEach(() => {
  rmSync(path, { recursive: true });
});

test('kill -9 at any point loses nothing that was committed', { timeout: 120_000 }, async () => {
  let committed = -1;
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
  }
});

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
  const readings = await engine.readings({ fromNs: 0n, toNs: 2n ** 62n, order: 'asc', limit: 1_000_000 });
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
