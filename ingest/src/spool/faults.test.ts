import {
  appendFile,
  cp,
  link,
  open,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { createMetrics, silentLogger, systemClock, type TidemarkError } from '@tidemark/core';
import { afterEach, expect, it, vi } from 'vitest';
import {
  appendPoints,
  metricOf,
  pointOf,
  range,
  type SpoolParts,
  startSpool,
  tempDir,
} from '../testing/test-parts.ts';
import { Cursors } from './cursors.ts';
import { DamageKeeper } from './damage.ts';
import { SegmentWriter } from './segment-writer.ts';
import type { Spool } from './spool.ts';

afterEach(() => vi.restoreAllMocks());

function errorOf(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

async function readAll(spool: Spool, from = 0, maxBytes = 1000): Promise<number[]> {
  const numbers: number[] = [];
  for (let offset = from; offset < spool.endOffset; ) {
    const { entries, nextOffset } = await spool.take(offset, maxBytes, true);
    for (const { points } of entries) numbers.push(...points.map(({ fields }) => Number(fields[0]![1])));
    expect(nextOffset).toBeGreaterThan(offset);
    offset = nextOffset;
  }
  return numbers;
}

async function fill({ spool }: SpoolParts, from: number, to: number): Promise<void> {
  for (const n of range(from, to)) await appendPoints(spool, [pointOf(n)]);
}

it('a failed fsync acknowledges nothing; the file is never synced again, the batch goes into a new one', async () => {
  const directory = await tempDir();
  const parts = await startSpool({ directory });
  await fill(parts, 0, 3);
  const { sync } = SegmentWriter.prototype;
  const synced: { writer: SegmentWriter; isFailed: boolean }[] = [];
  let failures = 2;
  vi.spyOn(SegmentWriter.prototype, 'sync').mockImplementation(async function (this: SegmentWriter, length) {
    const isFailed = failures > 0;
    failures--;
    synced.push({ writer: this, isFailed });
    if (isFailed) throw errorOf('EIO');
    await sync.call(this, length);
  });
  let isAcknowledged = false;
  const appended = appendPoints(
    parts.spool,
    range(3, 6).map((n) => pointOf(n)),
  ).then(() => {
    isAcknowledged = true;
  });
  await expect.poll(() => parts.spool.health()).toMatchObject({ status: 'fail', message: /EIO/ });
  expect(isAcknowledged).toBe(false);
  await appended;
  expect(parts.spool.health().status).toBe('pass');
  const failed = synced.filter(({ isFailed }) => isFailed).map(({ writer }) => writer);
  expect(failed).toHaveLength(2);
  expect(new Set(failed).size).toBe(2);
  expect(synced.filter(({ writer }) => failed.includes(writer))).toHaveLength(2);
  expect(await metricOf(parts.registry, 'tidemark_spool_write_failures_total')).toBe(2);
  await fill(parts, 6, 8);
  await parts.spool.stop();
  const again = await startSpool({ directory });
  expect(await readAll(again.spool)).toEqual(range(0, 8));
});

it('zeros are written ahead of small batches; after a crash they are no damage, after a stop they are gone', async () => {
  const directory = await tempDir();
  const parts = await startSpool({ directory });
  const sizeOf = async (folder: string) => {
    const [name] = (await readdir(folder)).filter((file) => file.endsWith('.seg'));
    return (await stat(join(folder, name!))).size;
  };
  await fill(parts, 0, 1);
  const size = await sizeOf(directory);
  await fill(parts, 1, 5);
  expect(await sizeOf(directory)).toBe(size);
  expect(size).toBeGreaterThan(parts.spool.endOffset);
  const crashed = await tempDir();
  await cp(directory, crashed, { recursive: true });
  const [name] = (await readdir(crashed)).filter((file) => file.endsWith('.seg'));
  const torn = await open(join(crashed, name!), 'r+');
  await parts.spool.stop();
  expect(await sizeOf(directory)).toBe(parts.spool.endOffset);

  const again = await startSpool({ directory: crashed });
  expect(await readAll(again.spool)).toEqual(range(0, 5));
  expect(again.spool.endOffset).toBe(parts.spool.endOffset);
  expect(await sizeOf(crashed)).toBe(parts.spool.endOffset);
  expect(await metricOf(again.registry, 'tidemark_spool_damaged_bytes_total')).toBe(0);
  await again.spool.stop();

  // A record of which only the beginning came to the disk, over zeros.
  await torn.write('TIDK and so on', parts.spool.endOffset);
  await torn.truncate(size);
  await torn.close();
  const third = await startSpool({ directory: crashed });
  expect(await readAll(third.spool)).toEqual(range(0, 5));
  expect(await metricOf(third.registry, 'tidemark_spool_damaged_bytes_total')).toBe(14);
  await fill(third, 5, 7);
  expect(await readAll(third.spool)).toEqual(range(0, 7));
});

it('a reader at the end passes over a segment that was given up, and misses nothing', async () => {
  const parts = await startSpool();
  await fill(parts, 0, 3);
  const end = parts.spool.endOffset;
  vi.spyOn(SegmentWriter.prototype, 'sync').mockRejectedValueOnce(errorOf('EIO'));
  await Promise.all(range(3, 60).map((n) => appendPoints(parts.spool, [pointOf(n)])));
  expect(await readAll(parts.spool, end, 50)).toEqual(range(3, 60));
});

it('a full disk holds what comes, and loses and repeats nothing when there is room', async () => {
  const directory = await tempDir();
  const parts = await startSpool({ directory });
  await fill(parts, 0, 3);
  const { write } = SegmentWriter.prototype;
  let isFull = true;
  vi.spyOn(SegmentWriter.prototype, 'write').mockImplementation(function (this: SegmentWriter, bytes) {
    if (!isFull) return write.call(this, bytes);
    // As the kernel does it: what still fits is written, then no more.
    write.call(this, bytes.subarray(0, 10));
    throw errorOf('ENOSPC');
  });
  const appended = Promise.all(range(3, 9).map((n) => appendPoints(parts.spool, [pointOf(n)])));
  await expect.poll(() => parts.spool.health()).toMatchObject({ status: 'fail', message: /ENOSPC/ });
  expect(await readAll(parts.spool)).toEqual(range(0, 3));
  await parts.spool.drain();
  isFull = false;
  await appended;
  expect(await readAll(parts.spool)).toEqual(range(0, 9));
  await parts.spool.stop();
  const again = await startSpool({ directory });
  expect(await readAll(again.spool)).toEqual(range(0, 9));
  expect(await metricOf(again.registry, 'tidemark_spool_damaged_bytes_total')).toBe(0);
});

it('stop ends while the disk is full; what was not acknowledged is not there, and its sender hears of it', async () => {
  const directory = await tempDir();
  const parts = await startSpool({ directory });
  await fill(parts, 0, 3);
  vi.spyOn(SegmentWriter.prototype, 'write').mockImplementation(() => {
    throw errorOf('ENOSPC');
  });
  const codeOf = (appended: Promise<void>): Promise<unknown> =>
    appended.catch((error: TidemarkError) => error.code);
  // One that is being written, and one that waits for it.
  const codes = [codeOf(appendPoints(parts.spool, [pointOf(3)]))];
  await parts.spool.drain();
  codes.push(codeOf(appendPoints(parts.spool, [pointOf(4)])));
  await parts.spool.stop();
  expect(await Promise.all(codes)).toEqual(['spool_failed', 'spool_failed']);
  expect(parts.spool.refusal()).toMatchObject({ code: 'spool_failed' });
  const again = await startSpool({ directory });
  expect(await readAll(again.spool)).toEqual(range(0, 3));
});

it('a segment that is cut short while it is read costs what it held, and reading goes on', async () => {
  const directory = await tempDir();
  const first = await startSpool({ directory });
  await fill(first, 0, 50);
  await first.spool.stop();
  const parts = await startSpool({ directory });
  await fill(parts, 50, 53);
  const [name] = (await readdir(directory)).filter((file) => file.endsWith('.seg')).sort();
  await truncate(join(directory, name!), 500);
  const found = await readAll(parts.spool, 0, 300);
  expect(found.length).toBeLessThan(53);
  expect(found.slice(-3)).toEqual([50, 51, 52]);
  expect(await metricOf(parts.registry, 'tidemark_spool_damaged_runs_total')).toBeGreaterThan(0);
});

it('a record larger than what is read at once is read whole', async () => {
  const directory = await tempDir();
  const first = await startSpool({ directory });
  await appendPoints(
    first.spool,
    range(0, 5000).map((n) => pointOf(n)),
  );
  await appendPoints(first.spool, [pointOf(5000)]);
  await first.spool.stop();
  const { spool } = await startSpool({ directory });
  expect(await readAll(spool, 0, 100)).toEqual(range(0, 5001));
});

it('an empty file at the end is what a crash leaves of a new segment', async () => {
  const directory = await tempDir();
  const first = await startSpool({ directory });
  await fill(first, 0, 3);
  await first.spool.stop();
  const [name] = (await readdir(directory)).filter((file) => file.endsWith('.seg'));
  const next = String(first.spool.endOffset).padStart(16, '0');
  await truncate(join(directory, name!), first.spool.endOffset - 4);
  await (await open(join(directory, `${next}.seg`), 'w')).close();
  const parts = await startSpool({ directory });
  // The tail before it is read to its end, torn or not, and the stamps in it count.
  expect(parts.spool.lastStampNs).toBe(pointOf(1).timeNs);
  await fill(parts, 3, 5);
  expect(await readAll(parts.spool)).toEqual([0, 1, 3, 4]);
});

it('offsets are never given twice, also when the newest segment or all of them are lost', async () => {
  const directory = await tempDir();
  const first = await startSpool({ directory });
  await fill(first, 0, 3);
  const end = first.spool.endOffset;
  await first.spool.stop();
  const [name] = (await readdir(directory)).filter((file) => file.endsWith('.seg'));
  const handle = await open(join(directory, name!), 'r+');
  await handle.write('XXXX', 0);
  await handle.close();
  const second = await startSpool({ directory });
  expect(second.spool.endOffset).toBe(end);
  await second.spool.stop();
  await rm(directory, { recursive: true });
  const third = await startSpool({ directory, leastOffset: end + 7 });
  await fill(third, 3, 5);
  expect(third.spool.firstOffset).toBe(end + 7);
  expect(await readAll(third.spool)).toEqual([3, 4]);
});

it('a disk that goes on failing is not filled with segments that were given up', async () => {
  const directory = await tempDir();
  const parts = await startSpool({ directory });
  await fill(parts, 0, 3);
  const sync = vi.spyOn(SegmentWriter.prototype, 'sync');
  for (let failure = 0; failure < 6; failure++) sync.mockRejectedValueOnce(errorOf('EIO'));
  await Promise.all(range(3, 60).map((n) => appendPoints(parts.spool, [pointOf(n)])));
  expect(sync.mock.calls.length).toBeGreaterThan(6);
  expect((await readdir(directory)).filter((name) => name.endsWith('.seg'))).toHaveLength(2);
  await parts.spool.stop();
  const again = await startSpool({ directory });
  expect(await readAll(again.spool)).toEqual(range(0, 60));
});

it('what is found of the newest segment is written again: pages whose fsync failed are read, but are not on the disk', async () => {
  const directory = await tempDir();
  const first = await startSpool({ directory });
  await fill(first, 0, 3);
  await first.spool.stop();
  const [name] = (await readdir(directory)).filter((file) => file.endsWith('.seg'));
  const path = join(directory, name!);
  const before = await readFile(path);
  await utimes(path, 1, 1);
  const again = await startSpool({ directory });
  expect((await stat(path)).mtimeMs).toBeGreaterThan(1000);
  expect(await readFile(path)).toEqual(before);
  await again.spool.stop();
});

it('a live read that meets a reclaimed segment goes on behind it', async () => {
  const directory = await tempDir();
  const first = await startSpool({ directory });
  await fill(first, 0, 3);
  await first.spool.stop();
  const { spool } = await startSpool({ directory });
  const end = spool.endOffset;
  await fill({ spool } as SpoolParts, 3, 5);
  const [name] = (await readdir(directory)).filter((file) => file.endsWith('.seg')).sort();
  await rm(join(directory, name!));
  expect(await spool.take(0, 1000)).toEqual({ entries: [], nextOffset: end });
  expect(await readAll(spool, end)).toEqual([3, 4]);
});

it('a torn tail that is back after a power cut hides nothing of the segment behind it', async () => {
  const directory = await tempDir();
  const first = await startSpool({ directory });
  await fill(first, 0, 3);
  await first.spool.stop();
  const [name] = (await readdir(directory)).filter((file) => file.endsWith('.seg'));
  await appendFile(join(directory, name!), 'a torn tail');
  const second = await startSpool({ directory });
  await fill(second, 3, 6);
  await second.spool.stop();
  await appendFile(join(directory, name!), Buffer.alloc(300));
  const third = await startSpool({ directory });
  expect(await readAll(third.spool)).toEqual(range(0, 6));
});

it('a file that an earlier try to save the cursors left, its fsync failed, is never written or synced again', async () => {
  const directory = await tempDir();
  const left = join(directory, 'cursors.json.store.new');
  const sameFile = join(directory, 'same-file');
  await writeFile(left, 'left');
  await link(left, sameFile);
  const keeper = { directory, clock: systemClock, logger: silentLogger, metrics: createMetrics() };
  const log = { directory, firstOffset: 0, endOffset: 100, damage: new DamageKeeper(keeper) };
  const cursors = await Cursors.load(log);
  await cursors.set('store', 50);
  expect(await readFile(sameFile, 'utf8')).toBe('left');
  expect((await Cursors.load(log)).get('store')).toBe(50);
});

it('a disk that hangs turns health red until it goes on; a quiet spool stays green', async () => {
  let nowMs = 0;
  const { spool } = await startSpool({ clock: { ...systemClock, monotonicMs: () => nowMs } });
  const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
  const { sync } = SegmentWriter.prototype;
  const { promise: hangs, resolve: isHanging } = Promise.withResolvers<void>();
  vi.spyOn(SegmentWriter.prototype, 'sync').mockImplementationOnce(async function (
    this: SegmentWriter,
    length,
  ) {
    isHanging();
    await mayEnd;
    await sync.call(this, length);
  });
  const appended = appendPoints(spool, [pointOf(0)]);
  await hangs;
  nowMs = 5000;
  expect(spool.health().status).toBe('pass');
  nowMs = 65_000;
  expect(spool.health()).toMatchObject({ status: 'fail', message: /not finished a write for 65 s/ });
  end();
  await appended;
  nowMs = 1e6;
  await expect.poll(() => spool.health()).toMatchObject({ status: 'pass', message: 'accepting' });
});
