import {
  createMetrics,
  NS_PER_DAY,
  NS_PER_SECOND,
  type Reading,
  readingToPoint,
  silentLogger,
  systemClock,
} from '@tidemark/core';
import { EmbeddedEngine } from './engine.ts';

// Run by crash.test.ts as a process of its own, to be killed: writes batch after batch from a given one on,
// and prints the number of each once it is committed. Each batch also writes the one before it anew. Beside it a
// sensor comes, is renamed and is deleted.

const BATCH_SECONDS = 10;
const SENSORS = 20;
const PASSING = 60;

/** The readings of a batch, with `value`. */
export function batchReadings(batch: number, value: number): Reading[] {
  return Array.from({ length: SENSORS * BATCH_SECONDS }, (_, index) => ({
    sensor: `s${index % SENSORS}`,
    location: undefined,
    timeNs: BigInt(batch * BATCH_SECONDS + Math.floor(index / SENSORS)) * NS_PER_SECOND,
    values: [['batch', value]],
  }));
}

/** Those of a sensor that comes and goes: some new and some late, over many days. */
export function passingReadings(sensor: string, batch: number): Reading[] {
  return Array.from({ length: PASSING }, (_, index) => ({
    sensor,
    location: undefined,
    timeNs: BigInt((index * 37) % PASSING) * NS_PER_DAY,
    values: [['passing', batch]],
  }));
}

/** Which batch a reading is of. */
export function batchOf(timeNs: bigint): number {
  return Math.floor(Number(timeNs / NS_PER_SECOND) / BATCH_SECONDS);
}

/** An engine whose limits are so low that it compacts most of the time. */
export function crashEngine(path: string): EmbeddedEngine {
  const limits = {
    hotRows: 1000,
    lateRows: 500,
    partitionRows: 5000,
    rewriteRows: 1e6,
    runs: 3,
    rowsPerSum: 1,
  };
  return new EmbeddedEngine({
    path,
    memoryBytes: 256 * 2 ** 20,
    clock: systemClock,
    metrics: createMetrics(),
    logger: silentLogger,
    limits,
  });
}

async function writeForEver(path: string, firstBatch: number): Promise<never> {
  const engine = crashEngine(path);
  await engine.start();
  for (let batch = firstBatch; ; batch++) {
    const again = batch > 0 ? batchReadings(batch - 1, batch) : [];
    await engine.write([...batchReadings(batch, batch), ...again].map(readingToPoint));
    process.stdout.write(`${batch}\n`);
    await engine.write(passingReadings('from', batch).map(readingToPoint));
    await engine.renameSensor('from', 'to');
    await engine.deleteSensor('to');
  }
}

if (import.meta.main) await writeForEver(process.argv[2]!, Number(process.argv[3]));
