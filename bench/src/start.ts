import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { memoryMiBOf, startTidemark } from './process.ts';
import { median, type Row } from './table.ts';

const RUNS = 5;
/** Long enough for start-up garbage to be collected or not, as it will. */
const IDLE_MS = 10_000;

/** From the process's start to its ready line, and memory when nothing has happened since. */
export async function start(): Promise<Row[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const readyMs: number[] = [];
  let memoryMiB = 0;
  try {
    for (let run = 0; run < RUNS; run++) {
      const startedMs = performance.now();
      const server = await startTidemark(dataDir);
      readyMs.push(performance.now() - startedMs);
      if (run === RUNS - 1) {
        await delay(IDLE_MS);
        memoryMiB = memoryMiBOf(server.process.pid!);
      }
      await server.stop();
    }
  } finally {
    await rm(dataDir, { recursive: true });
  }
  return [
    {
      what: 'start to ready',
      figure: `${Math.round(median(readyMs))} ms`,
      note: `median of ${RUNS}; target: under 1 500 ms`,
    },
    {
      what: 'memory when idle',
      figure: `${Math.round(memoryMiB)} MiB`,
      note: 'resident; target: under 200 MB',
    },
  ];
}
