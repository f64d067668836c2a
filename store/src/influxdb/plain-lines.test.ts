import type { FieldValue, Point, Tag } from '@tidemark/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FieldTypes } from './field-types.ts';
import { plainLines } from './plain-lines.ts';
import { lineOf, stage } from './units.ts';

const names = ['a', 'b c', 'd\\', 'e\n', 'time', ''];
const values: FieldValue[] = [1.5, -0, 2n, true, 'text', 'a "quote"'];
const tagged = (sensor: string): readonly Tag[] => [['sensor', sensor]];
const point = (seconds: number, tags: readonly Tag[], field = 'a', value: FieldValue = 1.5): Point => ({
  measurement: 'readings',
  tags,
  fields: [[field, value]],
  timeNs: BigInt(seconds),
});
/** Types of those fields that InfluxDB can hold, as a batch before would have pinned them. */
function pinnedTypes(): FieldTypes {
  const types = new FieldTypes();
  types.pin(point(0, tagged('x')));
  types.pin(point(0, tagged('x'), 'b c', 2n));
  types.pin(point(0, tagged('x'), 'd\\', 'text'));
  return types;
}

it('a batch of plain points has the lines that it would have when staged, and nothing is refused or joined', () => {
  const shared = names.map(tagged);
  const somePoint = fc
    .tuple(
      fc.nat(5),
      fc.nat(2 * names.length - 1),
      fc.constantFrom('a', 'a', 'a', ...names),
      fc.constantFrom(7, 1e-7, 1e21, ...values),
    )
    .map(([seconds, tags, field, value]) =>
      point(seconds, shared[tags] ?? tagged(names[tags - names.length]!), field, value),
    );
  let plain = 0;
  fc.assert(
    fc.property(fc.array(somePoint, { minLength: 1, maxLength: 4 }), (points) => {
      const lines = plainLines(points, pinnedTypes());
      if (lines === undefined) return;
      plain++;
      const staging = { types: pinnedTypes(), typePolicy: 'coerce' as const, rejected: [] };
      const units = stage(points.entries(), staging);
      expect(staging.rejected).toEqual([]);
      expect(units).toHaveLength(points.length);
      expect(lines).toBe(units.map(lineOf).join('\n'));
    }),
    { numRuns: 2000 },
  );
  expect(plain).toBeGreaterThan(50);
});

it.each<[string, Point[]]>([
  ['a series and time twice', [point(1, tagged('x')), point(1, tagged('x'))]],
  ['a value of another type', [point(1, tagged('x'), 'a', 'text')]],
  ['a field without a type', [point(1, tagged('x'), 'new')]],
  ['a name that cannot be written as it is', [point(1, tagged('x'), 'd\\', 'text')]],
  ['a tag that is no tag', [point(1, tagged('x')), point(2, tagged(''))]],
])('%s makes a batch that has to be staged', (_what, points) => {
  expect(plainLines(points, pinnedTypes())).toBeUndefined();
});
