import { type FieldValue, fieldTypes, type Point, PointColumns, Uint64 } from '@tidemark/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { emptyTable, Layout } from './layout.ts';
import { SeriesIndex } from './series.ts';
import { Staging } from './staging.ts';

const sharedTags = [[], [['sensor', 'a']], [['sensor', 'b']]] as const;
// Near each other, and on both sides of where the halves of a time meet.
const time = fc
  .tuple(fc.constantFrom(0n, 2n ** 31n, 2n ** 32n, -(2n ** 32n), 2n ** 63n - 4n, -(2n ** 63n)), fc.nat(3))
  .map(([base, offset]) => base + BigInt(offset));
const value: fc.Arbitrary<FieldValue> = fc.oneof(
  { weight: 6, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  fc.constantFrom(7n, true, 'text', new Uint64(2n ** 63n)),
);
const point: fc.Arbitrary<Point> = fc.record({
  measurement: fc.constantFrom('m', 'n'),
  tags: fc.constantFrom(...sharedTags),
  fields: fc
    .uniqueArray(fc.constantFrom('x', 'y'), { minLength: 1 })
    .chain((names) => fc.tuple(...names.map((name) => fc.tuple(fc.constant(name), value)))),
  timeNs: time,
});

/** What becomes of batches: the rows of each table, what is refused, and the newest points in the end. */
function stageAll(batches: readonly (readonly Point[])[]) {
  const layout = new Layout();
  for (const type of fieldTypes)
    for (const kind of ['hot', 'late'] as const) layout.of(type)[kind].push(emptyTable(`${kind}_${type}`, 0));
  const series = new SeriesIndex();
  const staging = new Staging({ layout, series, typePolicy: 'pin', maxSeries: 1000 });
  const staged = batches.map((batch) => {
    const rejected = staging.stage(PointColumns.of(batch));
    const changes = staging.changes().map(([table, rows]) => {
      rows.addTo(table);
      const { length } = rows;
      return [
        table.name,
        Array.from(rows.series.subarray(0, length)),
        Array.from(rows.times.subarray(0, length)),
        Array.from(rows.values).slice(0, length),
      ];
    });
    return { rejected, changes };
  });
  const newest = Array.from({ length: series.nextId }, (_, id) => series.byId(id)).map(
    ({ id, type, lastTimeNs, lastValue }) => [id, type, lastTimeNs, lastValue],
  );
  return { staged, newest, tables: fieldTypes.map((type) => layout.of(type)) };
}

test('points that share their tags are staged as those whose series are looked up each time', () => {
  const ownTags = (one: Point): Point => ({ ...one, tags: [...one.tags] });
  fc.assert(
    fc.property(fc.array(fc.array(point, { minLength: 1, maxLength: 40 }), { maxLength: 4 }), (batches) => {
      expect(stageAll(batches)).toEqual(stageAll(batches.map((batch) => batch.map(ownTags))));
    }),
    { numRuns: 500 },
  );
});

test('a point at the newest time takes its place late, and one behind it does not', () => {
  const at = (timeNs: bigint, x: number): Point => ({
    measurement: 'm',
    tags: sharedTags[0],
    fields: [['x', x]],
    timeNs,
  });
  const { staged, newest } = stageAll([[at(5n, 1), at(9n, 2), at(9n, 3), at(-4n, 4), at(2n ** 40n, 5)]]);
  expect(staged[0]!.changes).toEqual([
    ['hot_float', [0, 0, 0], [5n, 9n, 2n ** 40n], [1, 2, 5]],
    ['late_float', [0, 0], [9n, -4n], [3, 4]],
  ]);
  expect(newest).toEqual([[0, 'float', 2n ** 40n, 5]]);
});
