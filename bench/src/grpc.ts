import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuSecondsOf, runJson, startTidemark } from './process.ts';
import { median, type Row } from './table.ts';

const loader = fileURLToPath(new URL('./grpc-load.ts', import.meta.url));
const ROUNDS = 3;
const SYNCS = 2000;

interface Workload {
  what: string;
  name: string;
  workers: number;
  requests: number;
  /** What is counted: calls, or rows of their answers. */
  unit: 'calls' | 'rows';
  target: string;
}

interface Load {
  calls: number;
  rows: number;
  seconds: number;
  p99Ms: number;
}

/** The workloads of the gRPC sensor store (REQUIREMENTS, A), from a process of their own. */
const workloads: Workload[] = [
  {
    what: 'unary writes, 100 × 100',
    name: 'record',
    workers: 100,
    requests: 100,
    unit: 'calls',
    target: '9,000/s',
  },
  {
    what: 'unary writes, 1 × 10 000',
    name: 'record',
    workers: 1,
    requests: 10_000,
    unit: 'calls',
    target: 'half of fdatasync',
  },
  {
    what: 'unary writes, 10 000 × 1',
    name: 'record',
    workers: 10_000,
    requests: 1,
    unit: 'calls',
    target: '3,000/s',
  },
  {
    what: 'streaming writes, 4 streams',
    name: 'stream',
    workers: 4,
    requests: 1,
    unit: 'rows',
    target: '100,000/s',
  },
  {
    what: 'reads of 10 000 rows, 10 × 10',
    name: 'list-10000',
    workers: 10,
    requests: 10,
    unit: 'rows',
    target: '400,000/s',
  },
  {
    what: 'the newest 100, 100 × 100',
    name: 'newest',
    workers: 100,
    requests: 100,
    unit: 'rows',
    target: '307,680/s',
  },
  { what: 'first, 100 × 100', name: 'first', workers: 100, requests: 100, unit: 'calls', target: '10,000/s' },
  { what: 'last, 100 × 100', name: 'last', workers: 100, requests: 100, unit: 'calls', target: '10,000/s' },
  { what: 'by id, 100 × 100', name: 'id', workers: 100, requests: 100, unit: 'calls', target: '10,000/s' },
];

/** gRPC on the embedded store, and beside it how often the same disk syncs. */
export async function grpc(): Promise<Row[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const tidemark = await startTidemark(dataDir);
  const address = `127.0.0.1:${tidemark.ready.grpcPort}`;
  const pid = tidemark.process.pid!;
  try {
    const syncRates: number[] = [];
    const rows: Row[] = [];
    for (const { what, name, workers, requests, unit, target } of workloads) {
      const rates: number[] = [];
      const p99s: number[] = [];
      let cpuSeconds = 0;
      let count = 0;
      for (let round = 0; round < ROUNDS; round++) {
        if (workers === 1) syncRates.push(syncsPerSecond(dataDir));
        const cpuBefore = cpuSecondsOf(pid);
        const load = await runJson<Load>([loader, address, name, String(workers), String(requests)]);
        cpuSeconds += cpuSecondsOf(pid) - cpuBefore;
        count += load[unit];
        rates.push(load[unit] / load.seconds);
        p99s.push(load.p99Ms);
      }
      const cpuUs = ((cpuSeconds / count) * 1e6).toFixed(1);
      const note = `p99 ${median(p99s).toFixed(1)} ms, ${cpuUs} µs CPU of the platform each (warm-up included); target: ${target}`;
      rows.push({ what: `gRPC: ${what}`, figure: perSecond(median(rates)), note });
    }
    rows.push({
      what: 'gRPC: fdatasync of the same disk',
      figure: perSecond(median(syncRates)),
      note: 'one after another, 100 bytes each',
    });
    return rows;
  } finally {
    await tidemark.stop();
    await rm(dataDir, { recursive: true });
  }
}

function perSecond(rate: number): string {
  return `${Math.round(rate).toLocaleString('en')}/s`;
}

/** Appends and syncs as the spool does for one sender. */
function syncsPerSecond(folder: string): number {
  const file = openSync(join(folder, 'sync-rate'), 'a');
  const bytes = Buffer.alloc(100, 1);
  const startedMs = performance.now();
  for (let n = 0; n < SYNCS; n++) {
    writeSync(file, bytes);
    fdatasyncSync(file);
  }
  closeSync(file);
  return SYNCS / ((performance.now() - startedMs) / 1000);
}
