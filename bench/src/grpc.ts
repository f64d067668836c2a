import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuSecondsOf, runJson, startTidemark, tidemark as tidemarkBin } from './process.ts';
import { median, type Row } from './table.ts';

const ROUNDS = 3;
const SYNCS = 2000;

/** What `tidemark bench grpc --json` says of a workload. */
interface Load {
  what: string;
  unit: 'calls' | 'readings';
  perSecond: number;
  calls: number;
  readings: number;
  p99Ms: number;
}

/** The workloads of `tidemark bench grpc`, with what is to be reached. */
const targets: Record<string, string> = {
  'record-100x100': '9,000/s',
  'record-1x10000': 'half of fdatasync',
  'record-10000x1': '3,000/s',
  'stream-4x1': '100,000/s',
  'list-10x10': '400,000/s',
  'newest-100x100': '307,680/s',
  'first-100x100': '10,000/s',
  'last-100x100': '10,000/s',
  'id-100x100': '10,000/s',
  'id-10000x1': '10,000/s',
};

/** gRPC on the embedded store, and beside it how often the same disk syncs. */
export async function grpc(): Promise<Row[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const tidemark = await startTidemark(dataDir);
  const address = `127.0.0.1:${tidemark.ready.grpcPort}`;
  const pid = tidemark.process.pid!;
  try {
    const syncRates: number[] = [];
    const rows: Row[] = [];
    for (const [name, target] of Object.entries(targets)) {
      const loads: Load[] = [];
      let cpuSeconds = 0;
      for (let round = 0; round < ROUNDS; round++) {
        if (name === 'record-1x10000') syncRates.push(syncsPerSecond(dataDir));
        const cpuBefore = cpuSecondsOf(pid);
        const args = [tidemarkBin, 'bench', 'grpc', '--address', address, '--only', name, '--json'];
        loads.push(await runJson<Load>(args));
        cpuSeconds += cpuSecondsOf(pid) - cpuBefore;
      }
      rows.push(rowOf(loads, cpuSeconds, target));
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

function rowOf(loads: readonly Load[], cpuSeconds: number, target: string): Row {
  const { what, unit } = loads[0]!;
  const count = loads.reduce((sum, load) => sum + load[unit], 0);
  const p99Ms = median(loads.map((load) => load.p99Ms)).toFixed(1);
  const cpuUs = ((cpuSeconds / count) * 1e6).toFixed(1);
  const note = `p99 ${p99Ms} ms, ${cpuUs} µs CPU of the platform each (warm-up included); target: ${target}`;
  return { what: `gRPC: ${what}`, figure: perSecond(median(loads.map((load) => load.perSecond))), note };
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
