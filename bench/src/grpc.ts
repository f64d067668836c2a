import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Child,
  cpuSecondsOf,
  runJson,
  startServer,
  startTidemark,
  tidemark as tidemarkBin,
} from './process.ts';
import { median, type Row } from './table.ts';

const ROUNDS = 3;
const SYNCS = 2000;
const ENTRY_BYTES = 100;

/** What `tidemark bench grpc --json` says of a workload. */
interface Load {
  what: string;
  unit: 'calls' | 'readings';
  perSecond: number;
  calls: number;
  readings: number;
  p99Ms: number;
}

interface Measured extends Load {
  /** Of the server. */
  cpuSeconds: number;
}

const oneAfterAnother = 'record-1x10000';

/** The workloads of `tidemark bench grpc`, with what is to be reached. */
const targets: Record<string, string> = {
  'record-100x100': '9,000/s',
  [oneAfterAnother]: 'half of fdatasync',
  'record-10000x1': '3,000/s',
  'stream-4x1': '100,000/s',
  'list-10x10': '400,000/s',
  'newest-100x100': '307,680/s',
  'first-100x100': '10,000/s',
  'last-100x100': '10,000/s',
  'id-100x100': '10,000/s',
  'id-10000x1': '10,000/s',
};

/** gRPC on the embedded store; beside what one caller writes, what its disk and the library alone would take. */
export async function grpc(): Promise<Row[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const tidemark = await startTidemark(dataDir);
  try {
    const floor = new Floor(dataDir);
    const rows: Row[] = [];
    for (const [name, target] of Object.entries(targets)) {
      const measured: Measured[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        if (name === oneAfterAnother) await floor.measure();
        measured.push(await measure(tidemark, name));
      }
      rows.push(rowOf(measured, `target: ${target}`));
      if (name === oneAfterAnother) rows.push(...floor.rows());
    }
    return rows;
  } finally {
    await tidemark.stop();
    await rm(dataDir, { recursive: true });
  }
}

/** What stands beside `record-1x10000`, measured in turns with it. */
class Floor {
  readonly #folder: string;
  readonly #growingRates: number[] = [];
  readonly #zerosRates: number[] = [];
  readonly #bare: Measured[] = [];
  readonly #synced: Measured[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  async measure(): Promise<void> {
    this.#growingRates.push(syncsPerSecond(this.#folder, 0));
    this.#zerosRates.push(syncsPerSecond(this.#folder, SYNCS * ENTRY_BYTES));
    this.#bare.push(await measureBare([]));
    this.#synced.push(await measureBare([this.#folder]));
  }

  rows(): Row[] {
    return [
      {
        what: 'gRPC: fdatasync of the same disk',
        figure: perSecond(median(this.#growingRates)),
        note: `one after another, ${ENTRY_BYTES} bytes each`,
      },
      {
        what: 'gRPC: the same over zeros written ahead',
        figure: perSecond(median(this.#zerosRates)),
        note: 'as the log does it',
      },
      { ...rowOf(this.#bare, 'no work behind it'), what: 'gRPC: bare grpc-js, 1 × 10 000' },
      {
        ...rowOf(this.#synced, '100 bytes and fdatasync before each answer'),
        what: 'gRPC: bare grpc-js that syncs, 1 × 10 000',
      },
    ];
  }
}

async function measureBare(args: readonly string[]): Promise<Measured> {
  const server = await startServer([fileURLToPath(new URL('./bare-grpc.ts', import.meta.url)), ...args]);
  try {
    return await measure(server, oneAfterAnother);
  } finally {
    await server.stop();
  }
}

/** One run of a workload against a server. */
async function measure({ process: { pid }, ready }: Child, name: string): Promise<Measured> {
  const cpuBefore = cpuSecondsOf(pid!);
  const address = `127.0.0.1:${ready.grpcPort}`;
  const args = [tidemarkBin, 'bench', 'grpc', '--address', address, '--only', name, '--json'];
  const load = await runJson<Load>(args);
  return { ...load, cpuSeconds: cpuSecondsOf(pid!) - cpuBefore };
}

function rowOf(loads: readonly Measured[], about: string): Row {
  const { what, unit } = loads[0]!;
  const count = loads.reduce((sum, load) => sum + load[unit], 0);
  const cpuSeconds = loads.reduce((sum, load) => sum + load.cpuSeconds, 0);
  const p99Ms = median(loads.map((load) => load.p99Ms)).toFixed(1);
  const cpuUs = ((cpuSeconds / count) * 1e6).toFixed(1);
  const note = `p99 ${p99Ms} ms, ${cpuUs} µs CPU of the server each (warm-up included); ${about}`;
  return { what: `gRPC: ${what}`, figure: perSecond(median(loads.map((load) => load.perSecond))), note };
}

function perSecond(rate: number): string {
  return `${Math.round(rate).toLocaleString('en')}/s`;
}

/** Writes and syncs entries one after another, into a new file that holds so many zeros. */
function syncsPerSecond(folder: string, zeroBytes: number): number {
  const file = openSync(join(folder, 'sync-rate'), 'w');
  writeSync(file, Buffer.alloc(zeroBytes));
  fdatasyncSync(file);
  const bytes = Buffer.alloc(ENTRY_BYTES, 1);
  const startedMs = performance.now();
  for (let n = 0; n < SYNCS; n++) {
    writeSync(file, bytes, 0, ENTRY_BYTES, n * ENTRY_BYTES);
    fdatasyncSync(file);
  }
  closeSync(file);
  return SYNCS / ((performance.now() - startedMs) / 1000);
}
