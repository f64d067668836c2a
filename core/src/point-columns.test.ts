import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Point, Uint64 } from './point.ts';
import { PointColumns } from './point-columns.ts';

// Of some series the points share their tags, as most do; of others each has its own.
const sharedTags = [[], [['sensor', 'a']], [['sensor', 'b']]] as const;
const points: fc.Arbitrary<Point[]> = fc.array(
  fc.record({
    measurement: fc.constantFrom('readings', 'weather'),
    tags: fc.oneof(
      fc.constantFrom(...sharedTags),
      fc.constantFrom('a', 'b').map((sensor) => [['sensor', sensor]] as const),
    ),
    fields: fc
      .uniqueArray(fc.constantFrom('x', 'y', 'z', 'w'), { minLength: 1 })
      .chain((names) => fc.tuple(...names.map((name) => fc.tuple(fc.constant(name), values)))),
    timeNs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  }),
  { maxLength: 30 },
);
const values = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(7n, true, 'text', new Uint64(2n ** 63n)),
);

it('holds what was pushed, appended whole or in part, also after it was cleared', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(points, fc.nat(30), fc.nat(30), fc.boolean())), (parts) => {
      const all = new PointColumns();
      let expected: Point[] = [];
      for (const [part, from, to, isCleared] of parts) {
        if (isCleared) {
          all.clear();
          expected = [];
        }
        for (const point of part.slice(0, 3)) all.push(point);
        const start = Math.min(from, part.length);
        const end = Math.min(Math.max(start, to), part.length);
        all.append(PointColumns.of(part), start, end);
        expected.push(...part.slice(0, 3), ...part.slice(start, end));
      }
      expect(all.toArray()).toEqual(expected);
    }),
  );
});

it('keeps the labels of a series once, however many points it has', () => {
  const [, tags] = sharedTags;
  const point: Point = { measurement: 'readings', tags, fields: [['x', 1]], timeNs: 1n };
  const some = PointColumns.of(Array.from({ length: 1000 }, () => point));
  const all = new PointColumns();
  for (let start = 0; start < 1000; start++) all.append(some, start, start + 1);
  expect([some.labels, all.labels]).toEqual([
    [{ measurement: 'readings', tags }],
    [{ measurement: 'readings', tags }],
  ]);
});
