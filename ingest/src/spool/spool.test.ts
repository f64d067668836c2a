import { mkdtemp, open, readdir, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Point, Registry, silentLogger, systemClock } from '@tidemark/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { metricOf } from '../testing/test-parts.ts';
import { cursorNames } from './cursors.ts';
import { encodePoints, type SpoolEntry } from './entry.ts';
import { recordKinds } from './record.ts';
import { Spool, type SpoolOptions } from './spool.ts';

let directory: string;
let metrics: Registry;
const opened: Spool[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-spool-'));
});

afterEach(async () => {
  for (const spool of opened.splice(0)) await spool.stop();
  await rm(directory, { recursive: true });
});

async function openSpool(
  options: Partial<Pick<SpoolOptions, 'segmentBytes' | 'maxBytes' | 'onRecovered' | 'clock'>> = {},
): Promise<Spool> {
  metrics = new Registry();
  const spool = new Spool({
    directory,
    segmentBytes: 64 * 1024,
    maxBytes: 1e9,
    clock: systemClock,
    logger: silentLogger,
    metrics,
    ...options,
  });
  await spool.start();
  opened.push(spool);
  return spool;
}

/** Stops as a crash would leave it: nothing more is written. */
async function reopen(spool: Spool, options?: Parameters<typeof openSpool>[0]): Promise<Spool> {
  await spool.stop();
  opened.splice(opened.indexOf(spool), 1);
  return openSpool(options);
}

function pointOf(n: number): Point {
  return { measurement: 'm', tags: [['n', String(n)]], fields: [['value', n]], timeNs: BigInt(n) };
}

function append(spool: Spool, n: number): Promise<void> {
  const points = [pointOf(n)];
  const payload = encodePoints(points, (point) => `m,n=${point.tags[0]![1]}`);
  return new Promise((resolve) => {
    const stamps = { areNew: true, delivery: undefined };
    spool.append(recordKinds.points, BigInt(1000 + n), payload, points, () => resolve(), stamps);
  });
}

async function readAll(spool: Spool, from = 0, maxBytes = 4096): Promise<SpoolEntry[]> {
  const all: SpoolEntry[] = [];
  for (let offset = from; ; ) {
    const { entries, nextOffset } = await spool.take(offset, maxBytes, true);
    all.push(...entries);
    if (nextOffset >= spool.endOffset) return all;
    expect(nextOffset).toBeGreaterThan(offset);
    offset = nextOffset;
  }
}

const numbers = (entries: readonly SpoolEntry[]): number[] =>
  entries.map(({ points }) => Number(points[0]!.timeNs));
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

async function fill(spool: Spool, from: number, to: number): Promise<void> {
  for (const n of range(from, to)) await append(spool, n);
}

async function segments(): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.endsWith('.seg')).sort();
}

async function metric(name: string): Promise<number> {
  const found = await metrics.getSingleMetric(name)?.get();
  return found?.values.reduce((sum, { value }) => sum + value, 0) ?? 0;
}

describe('Spool', () => {
  it('gives back what was appended, from memory and, after a restart, from the disk', async () => {
    const spool = await openSpool();
    await fill(spool, 0, 50);
    expect(numbers(await readAll(spool))).toEqual(range(0, 50));
    const again = await reopen(spool);
    const entries = await readAll(again);
    expect(entries.map(({ points }) => points)).toEqual(range(0, 50).map((n) => [pointOf(n)]));
    expect(again.lastStampNs).toBe(1049n);
  });

  it('calls back in the order of the calls, in one commit for all that came together', async () => {
    const spool = await openSpool();
    const order: number[] = [];
    await Promise.all(range(0, 500).map((n) => append(spool, n).then(() => order.push(n))));
    expect(order).toEqual(range(0, 500));
    expect(await metric('tidemark_spool_commits_total')).toBeLessThan(5);
  });

  it('times each commit from the arrival of its first message to the answer', async () => {
    const clock = { ...systemClock, nowMs: 0, monotonicMs: () => clock.nowMs };
    const spool = await openSpool({ clock });
    const ended = Promise.all([append(spool, 1), append(spool, 2)]);
    clock.nowMs += 3000;
    await ended;
    await append(spool, 3);
    const { values } = await metrics.getSingleMetric('tidemark_ingest_ack_duration_seconds')!.get();
    const told = (suffix: string) =>
      values.find((value) => 'metricName' in value && String(value.metricName).endsWith(suffix))?.value;
    expect([told('_count'), told('_sum')]).toEqual([2, 3]);
  });

  it("tells the age of the oldest entry that a cursor's reader has not passed, from memory and from the disk", async () => {
    const ages = async () =>
      (await metrics.getSingleMetric('tidemark_spool_backlog_age_seconds')!.get()).values;
    let spool = await openSpool();
    expect(await ages()).toMatchObject(cursorNames.map(() => ({ value: 0 })));
    await fill(spool, 0, 3);
    const [, second] = await readAll(spool);
    // The entries of this file were accepted at 1000 ns and after.
    const nowS = Date.now() / 1000;
    spool.passed('quarantine', spool.endOffset);
    expect((await ages()).map(({ value }) => Math.round(value / nowS))).toEqual([1, 0, 1, 1, 1]);
    await spool.advance('store', second!.offset);
    spool = await reopen(spool);
    expect((await ages()).map(({ value }) => Math.round(value / nowS))).toEqual([1, 1, 1, 1, 1]);
    spool.passed('store', spool.endOffset);
    expect((await ages()).map(({ value }) => Math.round(value / nowS))).toEqual([0, 1, 1, 1, 1]);
  });

  it('goes on behind the old end after a restart, and never writes into an old segment', async () => {
    let spool = await openSpool();
    await fill(spool, 0, 3);
    const end = spool.endOffset;
    const before = await segments();
    spool = await reopen(spool);
    await fill(spool, 3, 6);
    expect(numbers(await readAll(spool))).toEqual(range(0, 6));
    expect(spool.endOffset).toBeGreaterThan(end);
    expect(await segments()).toEqual([...before, expect.any(String)]);
  });

  it('reads from any offset, also one inside a record', async () => {
    const spool = await reopen(
      await (async () => {
        const first = await openSpool();
        await fill(first, 0, 20);
        return first;
      })(),
    );
    const entries = await readAll(spool);
    const { entries: rest } = await spool.take(entries[5]!.offset + 7, 1e6);
    expect(numbers(rest)).toEqual(range(6, 20));
    expect(await metric('tidemark_spool_damaged_bytes_total')).toBe(0);
  });

  it('holds nothing for a cursor that nobody reads behind, also when another one is saved', async () => {
    let spool = await openSpool();
    await fill(spool, 0, 30);
    for (const name of cursorNames) {
      if (name === 'derived') spool.release(name);
      else await spool.advance(name, spool.endOffset);
    }
    const held = async () => (await metrics.getSingleMetric('tidemark_spool_backlog_bytes')!.get()).values;
    expect((await held()).map(({ value }) => value)).toEqual(cursorNames.map(() => 0));
    spool = await reopen(spool);
    expect(spool.cursor('store')).toBe(spool.endOffset);
    // Whoever reads behind it again begins with what there is.
    expect(spool.cursor('derived')).toBe(spool.firstOffset);
  });

  it('rolls segments and drops those that every cursor has passed, but for the newest quarter of its limit', async () => {
    const sizes = { segmentBytes: 2000, maxBytes: 16_000 };
    let spool = await openSpool(sizes);
    await fill(spool, 0, 200);
    const before = await segments();
    expect(before.length).toBeGreaterThan(3);
    await spool.advance('store', spool.endOffset);
    expect(await segments()).toEqual(before);
    const middle = (await readAll(spool))[100]!.offset;
    await spool.advance('quality', spool.endOffset);
    await spool.advance('alerts', spool.endOffset);
    await spool.advance('derived', spool.endOffset);
    await spool.advance('quarantine', middle);
    expect((await segments()).length).toBeLessThan(before.length);
    spool = await reopen(spool, sizes);
    expect(spool.cursor('quarantine')).toBe(middle);
    expect(numbers(await readAll(spool, middle))).toEqual(range(100, 200));
    await spool.advance('quarantine', spool.endOffset);
    expect(spool.usedBytes).toBeGreaterThanOrEqual(4000);
    expect(spool.usedBytes).toBeLessThan(4000 + 2000);
  });

  it('tells the newest records when it starts, each once and in their order, past damage', async () => {
    const sizes = { segmentBytes: 2000, maxBytes: 16_000 };
    const first = await openSpool(sizes);
    await fill(first, 0, 150);
    const offset = (await readAll(first))[140]!.offset;
    const path = join(directory, (await segments()).at(-1)!);
    await first.stop();
    const handle = await open(path, 'r+');
    await handle.write('X', offset + 30 - Number(path.slice(-20, -4)));
    await handle.close();
    const told: bigint[] = [];
    await reopen(first, { ...sizes, onRecovered: ({ acceptedNs }) => told.push(acceptedNs - 1000n) });
    const newest = range(0, 150).filter((n) => n !== 140 && n >= Number(told[0]));
    expect(told.map(Number)).toEqual(newest);
    // A quarter of the limit, some 40 bytes a record.
    expect(told.length).toBeGreaterThan(70);
    expect(told.length).toBeLessThan(100);
  });

  it('answers what leaves nothing to write behind what was appended before it', async () => {
    const spool = await openSpool({ segmentBytes: 2000, maxBytes: 10_000 });
    const before = spool.endOffset;
    const appended = append(spool, 1);
    let durableAtAnswer: number | undefined;
    const followed = new Promise<void>((resolve) => {
      spool.follow(() => {
        durableAtAnswer = spool.endOffset;
        resolve();
      });
    });
    expect(durableAtAnswer).toBeUndefined();
    await Promise.all([appended, followed]);
    expect(durableAtAnswer).toBeGreaterThan(before);
    await spool.drain();
    let isAnswered = false;
    spool.follow(() => {
      isAnswered = true;
    });
    expect(isAnswered).toBe(true);
  });

  it('holds appends at its limit and takes them when there is room again', async () => {
    const spool = await openSpool({ segmentBytes: 2000, maxBytes: 10_000 });
    let acknowledged = 0;
    const appending = (async () => {
      for (const n of range(0, 400)) {
        await append(spool, n);
        acknowledged++;
      }
    })();
    await expect.poll(() => spool.health().status).toBe('fail');
    expect(acknowledged).toBeLessThan(400);
    for (;;) {
      const held = acknowledged;
      await spool.advance('store', spool.endOffset);
      await spool.advance('quarantine', spool.endOffset);
      await spool.advance('quality', spool.endOffset);
      await spool.advance('alerts', spool.endOffset);
      await spool.advance('derived', spool.endOffset);
      if (
        (await Promise.race([
          appending.then(() => 'done'),
          expect.poll(() => acknowledged).toBeGreaterThan(held),
        ])) === 'done'
      )
        break;
    }
    expect(acknowledged).toBe(400);
    expect(await metric('tidemark_spool_write_failures_total')).toBeGreaterThan(0);
  });

  it('waits for what comes, until it is told not to', async () => {
    const spool = await openSpool();
    const stop = new AbortController();
    const woken = spool.waitBeyond(0, stop.signal);
    await append(spool, 1);
    await woken;
    const waiting = spool.waitBeyond(spool.endOffset, stop.signal);
    stop.abort();
    await waiting;
  });
});

describe('a damaged spool starts by itself', () => {
  async function filled(options?: { segmentBytes: number }): Promise<{ paths: string[]; offsets: number[] }> {
    const spool = await openSpool(options);
    await fill(spool, 0, 100);
    const offsets = (await readAll(spool)).map(({ offset }) => offset);
    await spool.stop();
    opened.length = 0;
    return { paths: (await segments()).map((name) => join(directory, name)), offsets };
  }

  it('a torn tail is cut off, kept aside and counted', async () => {
    const { paths } = await filled();
    const { size } = await stat(paths[0]!);
    await truncate(paths[0]!, size - 5);
    const spool = await openSpool();
    expect(numbers(await readAll(spool))).toEqual(range(0, 99));
    expect(await readdir(join(directory, 'damaged'))).toHaveLength(1);
    expect(await metric('tidemark_spool_damaged_bytes_total')).toBeGreaterThan(0);
    await fill(spool, 100, 102);
    expect(numbers(await readAll(spool))).toEqual([...range(0, 99), 100, 101]);
  });

  it.each([
    ['its payload', 40],
    ['its length', 5],
    ['its marker', 0],
    ['its time', 17],
  ])('a flipped bit in the middle costs one record: %s', async (_where, within) => {
    const { paths, offsets } = await filled();
    const handle = await open(paths[0]!, 'r+');
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, offsets[50]! + within);
    byte[0]! ^= 0x10;
    await handle.write(byte, 0, 1, offsets[50]! + within);
    await handle.close();
    const spool = await openSpool();
    expect(numbers(await readAll(spool, 0, 700))).toEqual(range(0, 100).filter((n) => n !== 50));
    expect(await metric('tidemark_spool_damaged_runs_total')).toBe(1);
    const [name] = await readdir(join(directory, 'damaged'));
    expect((await readFile(join(directory, 'damaged', name!))).length).toBe(offsets[51]! - offsets[50]!);
  });

  it('a missing segment costs what it held, and is counted', async () => {
    const { paths, offsets } = await filled({ segmentBytes: 2000 });
    await unlink(paths[1]!);
    const spool = await openSpool({ segmentBytes: 2000 });
    const left = numbers(await readAll(spool));
    expect(left.length).toBeLessThan(offsets.length);
    expect(left).toEqual(range(0, 100).filter((n) => left.includes(n)));
    expect(left).toContain(99);
    expect(await metric('tidemark_spool_damaged_runs_total')).toBe(1);
  });

  it('a segment with a bad header is set aside whole', async () => {
    const { paths } = await filled({ segmentBytes: 2000 });
    const handle = await open(paths[1]!, 'r+');
    await handle.write('XXXX', 0);
    await handle.close();
    const spool = await openSpool({ segmentBytes: 2000 });
    expect(numbers(await readAll(spool))).toContain(99);
    expect(await readdir(join(directory, 'damaged'))).toHaveLength(1);
  });

  it('a segment of a newer format is refused with a clear word', async () => {
    const { paths } = await filled();
    const handle = await open(paths[0]!, 'r+');
    await handle.write('9', 7);
    await handle.close();
    await expect(openSpool()).rejects.toThrow(/newer Tidemark/);
  });

  it.each(['', '{', '[1', 'null', '{"store": "x"}'])(
    'unreadable cursors %j cost a replay, and are counted and set aside',
    async (text) => {
      await filled();
      await writeFile(join(directory, 'cursors.json'), text);
      const spool = await openSpool();
      for (const name of cursorNames) expect(spool.cursor(name)).toBe(spool.firstOffset);
      expect(await metricOf(metrics, 'tidemark_spool_damaged_runs_total')).toBe(1);
      expect(await metricOf(metrics, 'tidemark_spool_damaged_bytes_total')).toBe(text.length);
      const [name] = await readdir(join(directory, 'damaged'));
      expect(await readFile(join(directory, 'damaged', name!), 'utf8')).toBe(text);
    },
  );

  it('cursors beyond the log are held within it; those that are not there begin with it', async () => {
    await filled();
    await writeFile(join(directory, 'cursors.json'), '{"store": 1e15, "quarantine": -4}');
    const spool = await openSpool();
    expect(spool.cursor('store')).toBe(spool.endOffset);
    expect(spool.cursor('quarantine')).toBe(spool.firstOffset);
    expect(spool.cursor('quality')).toBe(spool.firstOffset);
    expect(await metricOf(metrics, 'tidemark_spool_damaged_runs_total')).toBe(0);
  });
});
