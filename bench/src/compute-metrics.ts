import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, readingToPoint } from '@tidemark/core';
import { startEngine } from '@tidemark/store/testing';
import { startTidemark } from './process.ts';
import { median, type Row } from './table.ts';

const sensors = ['north', 'south', 'west'];
const metrics = ['temperature', 'humidity', 'pressure', 'co2'];
const values = 10_000_000;
const instantsOfBatch = 1000;
const runs = 15;
const firstMs = Date.UTC(2026, 0, 1);
const instants = Math.ceil(values / (sensors.length * metrics.length));
const lastMs = firstMs + (instants - 1) * 1000;
const hourMs = 3_600_000;

/** `POST /compute/metrics` for four metrics of three sensors that report each second: 10 M values in all. */
export async function computeMetrics(): Promise<Row[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  try {
    await fill(dataDir);
    const server = await startTidemark(dataDir);
    try {
      const url = `${server.ready.httpUrl}/compute/metrics`;
      const four = ['count', 'min', 'max', 'average'];
      return [
        await measure('count, min, max and average of all', { url, fns: four, fromMs: firstMs }),
        await measure('the same of the last hour', { url, fns: four, fromMs: lastMs - hourMs }),
        await measure('median and p95 of the last hour', {
          url,
          fns: ['median', 'p95'],
          fromMs: lastMs - hourMs,
        }),
        await measure('stddev and distinct of all', { url, fns: ['stddev', 'distinct'], fromMs: firstMs }),
      ];
    } finally {
      await server.stop();
    }
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

async function fill(dataDir: string): Promise<void> {
  const config = loadConfig({ overrides: { dataDir } });
  const engine = await startEngine(config);
  for (let first = 0; first < instants; first += instantsOfBatch) await engine.write(batch(first));
  await engine.stop();
}

function batch(first: number) {
  const size = Math.min(instantsOfBatch, instants - first);
  return Array.from({ length: size }, (_, index) => first + index).flatMap((instant) =>
    sensors.map((sensor, position) =>
      readingToPoint({
        sensor,
        location: undefined,
        timeNs: BigInt(firstMs + instant * 1000) * 1_000_000n,
        values: metrics.map((metric, which) => [metric, (instant * (7 + which) + position * 31) % 101]),
      }),
    ),
  );
}

interface Question {
  url: string;
  fns: readonly string[];
  fromMs: number;
}

async function measure(what: string, { url, fns, fromMs }: Question): Promise<Row> {
  const [from, to] = [fromMs, lastMs].map((ms) => new Date(ms).toISOString());
  const body = JSON.stringify({ ...Object.fromEntries(metrics.map((metric) => [metric, fns])), from, to });
  const headers = { 'content-type': 'application/json' };
  const expected = ((lastMs - fromMs) / 1000 + 1) * sensors.length;
  const tookMs: number[] = [];
  for (let run = 0; run < runs; run++) {
    const startedMs = performance.now();
    const response = await fetch(url, { method: 'POST', headers, body });
    const { result } = (await response.json()) as { result: Record<string, Record<string, number>> };
    tookMs.push(performance.now() - startedMs);
    const { count = expected } = result.co2 ?? {};
    if (response.status !== 200 || count !== expected) {
      throw new Error(`${what}: ${response.status} ${JSON.stringify(result)}`);
    }
  }
  const figure = `${median(tookMs).toFixed(1)} ms`;
  return { what, figure, note: `median of ${runs}, slowest ${Math.max(...tookMs).toFixed(0)} ms` };
}
