import type { Expression } from '@tidemark/influxql';
import { parseInfluxql } from '@tidemark/influxql/parser';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Catalog } from './query/catalog.ts';
import { decide } from './query/conditions.ts';
import type { PlanContext } from './query/context.ts';
import type { Frame } from './query/frame.ts';
import { selectMembers } from './query/members.ts';
import { Regexes } from './query/regexes.ts';
import { Groups } from './query/relation.ts';
import { SeriesIndex, type TagSet } from './series.ts';

const noRegexes = await Regexes.match(undefined as never, [], []);

function conditionOf(where: string): Expression {
  const [statement] = parseInfluxql(`SELECT v FROM readings WHERE ${where}`);
  if (statement?.kind !== 'select' || statement.where === undefined) throw new Error(where);
  return statement.where;
}

/** The sensors that a condition holds for, as a query finds them. */
function ask(index: SeriesIndex, where: string): string[] {
  const catalog = new Catalog(index);
  expect(catalog.typeOf('readings', 'sensor')).toBe('tag');
  const frame = { seriesLimit: 0, seriesOffset: 0, groupBy: [] } as unknown as Frame;
  const query = { driver: undefined, beside: [], filter: conditionOf(where), frame };
  const context = { catalog, regexes: noRegexes } as unknown as PlanContext;
  const { members } = selectMembers(['readings'], query, new Groups([]), context);
  return members.map(({ tagSet }) => tagSet.sensor);
}

function add(index: SeriesIndex, sensor: string, location: string): TagSet {
  const tags = [
    ['location', location],
    ['sensor', sensor],
  ] as const;
  const tagSet = index.tagSetOf({ measurement: 'readings', tags });
  if (!tagSet.series.has('v')) index.add(tagSet, 'v', 'float');
  return tagSet;
}

/** Counts each look at the tags or the series of a tag set. */
function counted(index: SeriesIndex): { readonly looks: number } {
  const count = { looks: 0 };
  for (const tagSet of index.tagSetsIn('readings')) {
    const { tags, series } = tagSet;
    const get = <T>(value: T) => ({
      get: () => {
        count.looks++;
        return value;
      },
    });
    Object.defineProperties(tagSet, { tags: get(tags), series: get(series) });
  }
  return count;
}

it('looks at the one sensor that is asked about, and not at all there are', () => {
  const index = new SeriesIndex();
  for (let n = 0; n < 1000; n++) add(index, `s${n}`, `l${n % 10}`);
  const count = counted(index);
  ask(index, "sensor = 's7'");
  // The first question makes the index.
  expect(count.looks).toBeGreaterThan(1000);
  for (const [where, sensors] of [
    ["sensor = 's77'", ['s77']],
    ["'s77' = sensor AND location = 'l7'", ['s77']],
    ["(sensor = 's77' OR sensor = 's5') AND location != 'l7'", ['s5']],
    ["sensor = 'none'", []],
    ['sensor =~ /^s77$/', ['s77']],
    ["sensor =~ /^(s5|s77)$/ AND location != 'l7'", ['s5']],
  ] as const) {
    const before = count.looks;
    expect(ask(index, where), where).toEqual(sensors);
    if (!where.includes('location =')) expect(count.looks - before, where).toBeLessThan(20);
  }
});

const sensor = fc.constantFrom('a', 'b', 'c', 'd');
const location = fc.constantFrom('x', 'y');
const change = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), sensor, location }),
  fc.record({ kind: fc.constant('remove' as const), sensor }),
  fc.record({ kind: fc.constant('purge' as const), sensor }),
  fc.record({ kind: fc.constant('rename' as const), sensor, to: fc.constantFrom('e', 'f') }),
);
const comparison = fc
  .tuple(
    fc.constantFrom('sensor', 'location', 'other'),
    fc.constantFrom('=', '!='),
    fc.constantFrom('a', 'b', 'e', 'x', ''),
  )
  .map(([key, operator, value]) => `${key} ${operator} '${value}'`);
const { where } = fc.letrec<{ where: string; pair: string }>((tie) => ({
  where: fc.oneof({ maxDepth: 3 }, comparison, tie('pair')),
  pair: fc
    .tuple(tie('where'), fc.constantFrom('AND', 'OR'), tie('where'))
    .map(([a, operator, b]) => `(${a}) ${operator} (${b})`),
}));

it('finds what a look at all finds, whatever was added, renamed or removed meanwhile', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(change, where), { minLength: 1, maxLength: 30 }), (steps) => {
      const index = new SeriesIndex();
      add(index, 'a', 'x');
      for (const step of steps) {
        if (typeof step === 'string') {
          add(index, 'g', 'x');
          const condition = conditionOf(step);
          const all = new Catalog(index).tagSets('readings');
          const expected = all.filter((tagSet) => decide(condition, tagSet, noRegexes) === true);
          expect(ask(index, step).toSorted()).toEqual(expected.map((found) => found.sensor).toSorted());
        } else if (step.kind === 'add') add(index, step.sensor, step.location);
        else if (step.kind === 'remove') index.remove(index.tagSetsOf(step.sensor));
        else if (step.kind === 'purge')
          index.removeSeries(index.tagSetsOf(step.sensor).flatMap(({ series }) => [...series.values()]));
        else if (index.tagSetsOf(step.to).length === 0) index.rename(index.tagSetsOf(step.sensor), step.to);
      }
    }),
    { numRuns: 500 },
  );
});
