import { expect, it } from 'vitest';
import { Layout } from './layout.ts';
import { SeriesIndex } from './series.ts';
import { spanOfPoints } from './spans.ts';

const SECOND = 1_000_000_000n;
const DAY_S = 86_400n;

/** Ten series with a point each second of a day, and ninety that were silent then, behind a day with a tenth of the points. */
function store(): { layout: Layout; index: SeriesIndex } {
  const layout = new Layout();
  const index = new SeriesIndex();
  for (let id = 0; id < 100; id++) {
    const tagSet = index.tagSetOf({ measurement: 'm', tags: [['host', String(id)]] });
    index.add(tagSet, 'v', 'float', id);
  }
  for (const [generation, day] of [0, 1].entries()) {
    const rows = day === 0 ? 86_400 : 864_000;
    const place = { generation, startDay: day, widthDays: 1, rows, sortedRows: rows, runs: 1 };
    layout.add({ ...place, kind: 'part', type: 'float', name: `part${day}`, sums: undefined });
    const [minNs, maxNs] = [BigInt(day) * DAY_S * SECOND, BigInt(day + 1) * DAY_S * SECOND];
    layout.of('float').partitions.at(-1)!.sums = { name: 's', generation: 9, minNs, maxNs, series: 10 };
  }
  return { layout, index };
}

const range = { firstNs: 0n, lastNs: 2n * DAY_S * SECOND };

function secondsFor(points: number, from: 'first' | 'last', hosts = 1): number {
  const { layout, index } = store();
  const wanted = Array.from({ length: hosts }, (_, id) => index.byId(id));
  return Number(spanOfPoints({ layout, index, wanted, points, ...range, from })) / 1e9;
}

it('reaches a quarter more points than are looked for, at the density of that end', () => {
  expect(secondsFor(1000, 'last')).toBeCloseTo(1250, 3);
  expect(secondsFor(1000, 'first')).toBeCloseTo(12_500, 3);
  expect(secondsFor(1000, 'last', 10)).toBeCloseTo(125, 3);
});

it('goes on into a sparser table', () => {
  const seconds = secondsFor(70_000, 'last');
  expect(seconds).toBeGreaterThan(86_400 + (70_000 * 1.25 - 86_400) * 10 - 1);
  expect(seconds).toBeLessThan(Number(2n * DAY_S));
});

it('is more than the range where there are too few points', () => {
  expect(secondsFor(1_000_000, 'last')).toBeGreaterThan(Number(2n * DAY_S));
  expect(secondsFor(10, 'last', 0)).toBeGreaterThan(Number(2n * DAY_S));
});
