import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { createMetrics, type Point, READINGS, silentLogger, systemClock } from '@tidemark/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EmbeddedEngine } from './engine.ts';

const writerFile = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));
const run = promisify(execFile);

let path: string;

const engineAt = (directory: string, metrics = createMetrics()) =>
  new EmbeddedEngine({
    path: directory,
    memoryBytes: 256 * 2 ** 20,
    clock: systemClock,
    metrics,
    logger: silentLogger,
  });

const points = (from: number, count: number): Point[] =>
  Array.from({ length: count }, (_, index) => ({
    measurement: READINGS,
    tags: [['sensor', `s${index % 10}`]],
    fields: [['m', index]],
    timeNs: BigInt(from + index),
  }));

const countOf = async (engine: EmbeddedEngine) => {
  const query = { fromNs: 0n, toNs: 2n ** 62n, order: 'asc', limit: 1_000_000 } as const;
  return (await engine.readings(query)).length;
};

beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'tidemark-opening-')), 'store');
  mkdirSync(path);
});

afterEach(() => {
  rmSync(dirname(path), { recursive: true });
});

test('a file of a newer layout is refused, and left as it is', async () => {
  const engine = engineAt(path);
  await engine.start();
  await engine.stop();
  const instance = await DuckDBInstance.create(join(path, 'store.duckdb'));
  const connection = await instance.connect();
  await connection.run('UPDATE layout SET version = 999');
  connection.closeSync();
  instance.closeSync();
  for (let tries = 0; tries < 2; tries++) {
    await expect(engineAt(path).start()).rejects.toMatchObject({ code: 'store_newer' });
  }
});

test('two engines on one directory are refused', async () => {
  const engine = engineAt(path);
  await engine.start();
  await expect(engineAt(join(path, '.')).start()).rejects.toMatchObject({ code: 'data_dir_unusable' });
  await engine.stop();
  await engine.start();
  await engine.stop();
});

test('a directory that another process uses is refused', async () => {
  const child = spawn(process.execPath, [writerFile, path, '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const opening = engineAt(path).start();
  await expect(opening).rejects.toMatchObject({
    code: 'data_dir_unusable',
    message: expect.stringContaining('another process'),
  });
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('a path that is no directory is refused', async () => {
  const file = join(path, 'file');
  writeFileSync(file, '');
  await expect(engineAt(file).start()).rejects.toMatchObject({ code: 'data_dir_unusable' });
});

test('a file that is no store is refused', async () => {
  writeFileSync(join(path, 'store.duckdb'), 'x'.repeat(20_000));
  await expect(engineAt(path).start()).rejects.toMatchObject({ code: 'store_damaged' });
});

test('a first start that was cut short is begun anew', async () => {
  writeFileSync(join(path, 'store.duckdb'), 'x'.repeat(5000));
  const engine = engineAt(path);
  await engine.start();
  await engine.stop();
});

describe('a store that was there', () => {
  const advice = /restore the folder .* or begin with an empty store: .*store\.created.*spool\/cursors\.json/;
  const held = 100_000;
  const file = () => join(path, 'store.duckdb');

  beforeEach(async () => {
    const engine = engineAt(path);
    await engine.start();
    // Random, so that it fills some blocks of the file.
    await engine.write(points(0, held).map((point) => ({ ...point, fields: [['m', Math.random()]] })));
    await engine.compact();
    await engine.stop();
  });

  test.each([
    ['file', () => rmSync(file())],
    ['folder', () => rmSync(path, { recursive: true })],
    ['content', () => truncateSync(file(), 0)],
  ])('and whose %s is gone is not taken for an empty one', async (_what, lose) => {
    lose();
    for (let tries = 0; tries < 2; tries++) {
      const opening = engineAt(path).start();
      await expect(opening).rejects.toMatchObject({
        code: 'store_damaged',
        message: expect.stringMatching(advice),
      });
    }
    rmSync(path, { recursive: true, force: true });
    rmSync(`${path}.created`);
    const engine = engineAt(path);
    await engine.start();
    await engine.write(points(0, 5));
    expect(await countOf(engine)).toBe(5);
    await engine.stop();
  });

  test('and is damaged anywhere says so, and never answers with less than it held', {
    timeout: 60_000,
  }, async () => {
    const { size } = statSync(file());
    const outcomes = new Set<string>();
    for (const share of [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.999]) {
      outcomes.add(await outcomeOf(() => truncateSync(file(), Math.floor(size * share))));
      outcomes.add(await outcomeOf(() => flip(Math.floor(size * share))));
    }
    outcomes.delete('whole');
    expect(outcomes).toEqual(new Set(['start refused', 'query refused']));
  });

  /** Damages the file, looks how the engine takes it, and puts the file back. */
  async function outcomeOf(damage: () => void): Promise<string> {
    cpSync(file(), `${path}.backup`);
    damage();
    const engine = engineAt(path);
    try {
      await engine.start();
      const found = await countOf(engine).catch((error: unknown) => error);
      if (found === held) return 'whole';
      expect(found).toMatchObject({ code: 'store_damaged', message: expect.stringMatching(advice) });
      expect(await engine.status()).toMatchObject({ isHealthy: false });
      return 'query refused';
    } catch (error) {
      expect(error).toMatchObject({ code: 'store_damaged', message: expect.stringMatching(advice) });
      return 'start refused';
    } finally {
      await engine.stop();
      rmSync(`${file()}.wal`, { force: true });
      cpSync(`${path}.backup`, file());
    }
  }

  function flip(at: number): void {
    const descriptor = openSync(file(), 'r+');
    writeSync(descriptor, Buffer.alloc(64, 0x5a), 0, 64, at);
    closeSync(descriptor);
  }
});

describe('after a power cut', () => {
  const cut = () => `${path}.cut`;
  const log = (folder: string) => join(folder, 'store.duckdb.wal');

  /** Writes three batches of 1000, with a sync after the second; answers where each ends in the log. */
  async function writeAndCut(): Promise<number[]> {
    const engine = engineAt(path);
    await engine.start();
    await engine.sync(7);
    const ends: number[] = [];
    for (let batch = 0; batch < 3; batch++) {
      await engine.write(points(batch * 1000, 1000));
      if (batch === 1) await engine.sync(100);
      ends.push(statSync(log(path)).size);
    }
    cpSync(path, cut(), { recursive: true });
    await engine.stop();
    return ends;
  }

  /** A piece of the log that was never written, though what lies behind it was. */
  function lose(at: number): void {
    const descriptor = openSync(log(cut()), 'r+');
    writeSync(descriptor, Buffer.alloc(512), 0, 512, at);
    closeSync(descriptor);
  }

  async function found(): Promise<{ count: number; position: number | undefined; cutBytes: number }> {
    const metrics = createMetrics();
    const engine = engineAt(cut(), metrics);
    await engine.start();
    const count = await countOf(engine);
    const position = await engine.position();
    await engine.write(points(10_000, 5));
    expect(await countOf(engine)).toBe(count + 5);
    expect(await engine.status()).toMatchObject({ isHealthy: true });
    await engine.stop();
    const counter = await metrics.getSingleMetric('tidemark_store_log_cut_bytes_total')?.get();
    return { count, position, cutBytes: counter!.values[0]!.value };
  }

  test.each([0, 0.3, 0.6, 0.99])(
    'a hole at %d of the last commit costs only that; its bytes are kept',
    async (share) => {
      const [, synced, end] = (await writeAndCut()) as [number, number, number];
      lose(Math.min(Math.floor(synced + share * (end - synced)), end - 512));
      const { count, position, cutBytes } = await found();
      expect({ count, position }).toEqual({ count: 2000, position: 100 });
      expect(cutBytes).toBeGreaterThan(0);
      expect(cutBytes).toBeLessThanOrEqual(end - synced);
      const [kept] = readdirSync(join(cut(), 'damaged'));
      expect(statSync(join(cut(), 'damaged', kept!)).size).toBe(cutBytes);
    },
  );

  test('damage of what was synced shows in the position', async () => {
    const [first] = (await writeAndCut()) as [number];
    lose(first + 600);
    expect(await found()).toMatchObject({ count: 1000, position: 7 });
  });

  test('a log that is gone shows in the position', async () => {
    await writeAndCut();
    rmSync(log(cut()));
    expect(await found()).toMatchObject({ count: 0, position: 7, cutBytes: 0 });
  });
});

test('a position is there again after a stop, and unknown before the first', async () => {
  const engine = engineAt(path);
  await engine.start();
  expect(await engine.position()).toBeUndefined();
  await engine.sync(2 ** 40);
  await engine.stop();
  await engine.start();
  expect(await engine.position()).toBe(2 ** 40);
  await engine.stop();
});

test('calls before the start and after the stop are refused, and may be tried again', async () => {
  const engine = engineAt(path);
  const refused = { code: 'store_unavailable', retryable: true };
  await expect(engine.write(points(0, 1))).rejects.toMatchObject(refused);
  await expect(engine.latest({})).rejects.toMatchObject(refused);
  expect(await engine.status()).toMatchObject({ isHealthy: false });
  await engine.start();
  expect(await engine.status()).toMatchObject({ isHealthy: true, series: 0 });
  await engine.stop();
  await expect(engine.write(points(0, 1))).rejects.toMatchObject(refused);
});

test('a batch that the disk had no room for is not there, and can be written again', async () => {
  const engine = engineAt(path);
  await engine.start();
  await engine.write(points(0, 1000));
  const { size } = statSync(join(path, 'store.duckdb.wal'));
  await limitFileSize(size + 10_000);
  try {
    const failing = engine.write(points(500, 20_000));
    await expect(failing).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
    expect(await engine.status()).toMatchObject({ isHealthy: false });
  } finally {
    await limitFileSize('unlimited');
  }
  await engine.write(points(500, 20_000));
  expect(await countOf(engine)).toBe(20_500);
  expect(await engine.status()).toMatchObject({ isHealthy: true });
  await engine.stop();
  await engine.start();
  expect(await countOf(engine)).toBe(20_500);
  await engine.stop();
});

/** Bounds the files that this process may write: beyond it, a write fails as on a full disk. */
async function limitFileSize(bytes: number | 'unlimited'): Promise<void> {
  await run('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`]);
}
