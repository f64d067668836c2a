import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createMetrics, loadConfig, readingToPoint, silentLogger, systemClock } from '@tidemark/core';
import { openEngine } from '@tidemark/store';
import type { Row } from './table.ts';

const sensors = 1_000_000;
const batchPoints = 10_000;

interface Figures {
  heapMiB: number;
  ms: number;
}

/** What a million series cost the embedded store: the main thread's memory, and the time of a start. */
export async function series(): Promise<Row[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  try {
    const written = await inProcess('write', dataDir);
    const opened = await inProcess('open', dataDir);
    const batch = Math.round(written.ms / (sensors / batchPoints));
    return [
      { what: '1 000 000 series, heap', figure: `${opened.heapMiB} MiB`, note: 'after a start' },
      { what: '1 000 000 series, start of the store', figure: `${Math.round(opened.ms)} ms`, note: '' },
      { what: 'a batch of 10 000 new series', figure: `${batch} ms`, note: 'mean of 100' },
    ];
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

async function inProcess(step: string, dataDir: string): Promise<Figures> {
  const args = ['--expose-gc', fileURLToPath(import.meta.url), step, dataDir];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Figures;
}

async function measure(step: string, dataDir: string): Promise<Figures> {
  const config = loadConfig({ overrides: { dataDir } });
  const engine = await openEngine({
    config,
    clock: systemClock,
    logger: silentLogger,
    metrics: createMetrics(),
  });
  const startedMs = performance.now();
  await engine.start();
  if (step === 'write') {
    for (let first = 0; first < sensors; first += batchPoints) await engine.write(newSensors(first));
  }
  const ms = performance.now() - startedMs;
  globalThis.gc?.();
  const heapMiB = Math.round(process.memoryUsage().heapUsed / 2 ** 20);
  await engine.stop();
  return { heapMiB, ms };
}

function newSensors(first: number) {
  return Array.from({ length: batchPoints }, (_, index) =>
    readingToPoint({
      sensor: `sensor-${first + index}`,
      location: `location-${index % 100}`,
      timeNs: 1_700_000_000_000_000_000n + BigInt(first),
      values: [['temperature', index / 10]],
    }),
  );
}

if (import.meta.main) {
  const [, , step, dataDir] = process.argv;
  process.stdout.write(JSON.stringify(await measure(step!, dataDir!)));
}
