import { type FieldType, type FieldValue, fieldTypeOf } from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LostTimes } from './lost-times.ts';
import { RecentPoints } from './recent-points.ts';
import { SeriesIndex } from './series.ts';
import { StagedRows } from './staged-rows.ts';

const hourNs = 3_600_000_000_000n;

function start({ written = [] as [series: number, timeNs: bigint][], capacity = 16 } = {}) {
  const index = new SeriesIndex();
  const tagSet = index.tagSetOf({ measurement: 'readings', tags: [['sensor', 'a']] });
  const types: FieldType[] = ['float', 'float', 'float', 'string', 'integer'];
  const series = types.map((type, id) => index.add(tagSet, `${type}${id}`, type));
  for (const [id, timeNs] of written) index.newest.offer(id, timeNs, 0);
  const recent = new RecentPoints(index, { float: capacity, other: capacity });
  return {
    recent,
    /** Writes a batch of points of one type. */
    write(...points: [series: number, timeNs: bigint, value: FieldValue][]) {
      const rows = new StagedRows(fieldTypeOf(points[0]![2]));
      for (const [id, timeNs, value] of points) {
        index.newest.offer(id, timeNs, value);
        rows.push(id, timeNs, value);
      }
      recent.add(rows);
    },
    find: (ids: number[], timeNs: bigint) =>
      recent
        .find(
          ids.map((id) => series[id]!),
          timeNs,
        )
        ?.map((row) => [row.series.id, row.value]),
  };
}

describe('recent points', () => {
  it('are found by series and time, as they were written last', () => {
    const { write, find } = start();
    write([0, hourNs, 1], [1, hourNs, 2], [0, 2n * hourNs, 3], [0, hourNs, 4]);
    write([3, hourNs, 'on']);
    write([4, hourNs, 7n]);
    expect(find([0, 1, 2, 3, 4], hourNs)).toEqual([
      [0, 4],
      [1, 2],
      [3, 'on'],
      [4, 7],
    ]);
    write([1, hourNs, 5]);
    expect(find([1], hourNs)).toEqual([[1, 5]]);
    expect(find([0, 1], 2n * hourNs)).toEqual([[0, 3]]);
    expect(find([0, 1, 3], 3n * hourNs)).toEqual([]);
    expect(find([0], hourNs + 1n)).toEqual([]);
  });

  it('are unknown behind what the tables had before', () => {
    const { write, find } = start({ written: [[0, hourNs]] });
    write([0, 2n * hourNs, 1], [1, hourNs, 2]);
    expect(find([0, 1], hourNs)).toBeUndefined();
    expect(find([0], hourNs + 1n)).toEqual([]);
    expect(find([1], hourNs)).toEqual([[1, 2]]);
  });

  it('are unknown once they had to make room, whoever looked meanwhile', () => {
    for (const looks of [true, false]) {
      const { write, find } = start({ capacity: 4 });
      const all = Array.from({ length: 11 }, (_, n) => BigInt(n + 1));
      for (const timeNs of all) {
        write([0, timeNs, Number(timeNs)]);
        if (looks) find([0], 1n);
      }
      expect(all.map((timeNs) => find([0], timeNs))).toEqual([
        ...Array.from({ length: 7 }, () => undefined),
        ...[8, 9, 10, 11].map((value) => [[0, value]]),
      ]);
      const larger = all.map((timeNs): [number, bigint, number] => [1, timeNs, 0]);
      write(...larger);
      expect(find([0], 11n)).toBeUndefined();
      expect(find([1], 7n)).toBeUndefined();
      expect(find([1], 8n)).toEqual([[1, 0]]);
    }
  });

  it('are known to be none, also where the places have been used over and over', () => {
    const { write, find } = start();
    for (let n = 0; n < 1000; n++) {
      write([0, BigInt(2 * n), n]);
      if (n > 16)
        for (let back = 1; back < 16; back++) expect(find([0], BigInt(2 * (n - back) + 1))).toEqual([]);
    }
  });

  it('are unknown where a text is long, and before what is removed', () => {
    const { recent, write, find } = start();
    write([3, 2n, 'x'.repeat(64)], [3, 3n, 'x'.repeat(65)], [3, 4n, 'on']);
    expect(find([3], 3n)).toBeUndefined();
    expect(find([3], 4n)).toEqual([[3, 'on']]);
    write([0, 3n, 1], [0, 4n, 2]);
    recent.forgetBefore(4n);
    recent.forgetBefore(1n);
    expect(find([0], 3n)).toBeUndefined();
    expect(find([0], 4n)).toEqual([[0, 2]]);
  });

  it('are never others than those written, however they come and go', async () => {
    const point = fc.tuple(
      fc.nat(2),
      // Also where the halves of a time meet.
      fc
        .tuple(fc.constantFrom(1n, 2n ** 31n, 2n ** 32n, -1n), fc.nat(12))
        .map(([base, n]) => base + BigInt(n)),
      fc.integer({ min: 0, max: 1000 }),
    );
    const batches = fc.array(fc.array(point, { minLength: 1, maxLength: 40 }), { maxLength: 12 });
    let known = 0;
    await fc.assert(
      fc.asyncProperty(batches, async (written) => {
        const { recent, write, find } = start({ capacity: 32 });
        const model = new Map<string, number>();
        const compare = (timeNs: bigint) => {
          for (const id of [0, 1, 2]) {
            const found = find([id], timeNs);
            if (found === undefined) continue;
            known += 1;
            const value = model.get(`${id}@${timeNs}`);
            expect(found).toEqual(value === undefined ? [] : [[id, value]]);
          }
        };
        for (const [n, batch] of written.entries()) {
          write(...batch);
          for (const [id, timeNs, value] of batch) model.set(`${id}@${timeNs}`, value);
          if (n % 3 === 0) await recent.catchUp();
          if (n % 3 < 2) for (const [, timeNs] of written.flat()) compare(timeNs);
        }
      }),
      { numRuns: 300 },
    );
    expect(known).toBeGreaterThan(1000);
  });
});

it('the newest of the lost times counts, also of series that came later', () => {
  const lost = new LostTimes(BigInt64Array.of(5n));
  const times = [7n, 2n ** 40n, 2n ** 32n + 1n, 6n, -(2n ** 33n), 2n ** 31n];
  lost.lose(Int32Array.of(0, 9, 9, 0, 4, 4), new Int32Array(BigInt64Array.from(times).buffer), 0, 6);
  expect([0, 1, 4, 9, 1_000_000].map((series) => lost.of(series))).toEqual([
    7n,
    0n,
    2n ** 31n,
    2n ** 40n,
    0n,
  ]);
});
