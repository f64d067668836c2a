import { expect, it } from 'vitest';
import { openMeta, range, tempDir } from '../testing/test-parts.ts';
import { type PlacedRefusal, QuarantineStore } from './quarantine-store.ts';

function refusal(n: number, changes: Partial<PlacedRefusal['part']> = {}): PlacedRefusal {
  return {
    offset: n * 100,
    item: 0,
    part: {
      source: 'mqtt',
      topic: `sensors/s${n}`,
      reason: 'wrong_type',
      detail: 'd',
      sensor: `s${n}`,
      timeNs: 1_700_000_000_000_000_000n + BigInt(n),
      payload: Buffer.from(`payload ${n}`),
      ...changes,
    },
  };
}

const topics = (store: QuarantineStore, filter = {}): string[] =>
  store.list({ limit: 100, ...filter }).map(({ topic }) => topic.slice('sensors/s'.length));

it('gives back what was refused, newest first, exact to the nanosecond', async () => {
  const store = new QuarantineStore(await openMeta());
  store.add([refusal(1), refusal(2, { sensor: undefined, payload: Buffer.from([0, 255]) })]);
  const [newest] = store.list({ limit: 1 });
  expect(newest).toEqual({
    id: '2',
    source: 'mqtt',
    topic: 'sensors/s2',
    reason: 'wrong_type',
    detail: 'd',
    sensor: undefined,
    timeNs: 1_700_000_000_000_000_002n,
    payload: Uint8Array.from([0, 255]),
  });
  expect(store.get('2')).toEqual(newest);
  expect([store.get('3'), store.get('x'), store.get('')]).toEqual([undefined, undefined, undefined]);
});

it.each([
  ['nothing', {}, ['3', '2', '1']],
  ['by reason', { reason: 'empty' as const }, ['2']],
  ['by sensor', { sensor: 's3' }, ['3']],
  ['from, inclusive', { fromNs: 1_700_000_000_000_000_002n }, ['3', '2']],
  ['to, exclusive', { toNs: 1_700_000_000_000_000_002n }, ['1']],
  ['before an id', { before: '3' }, ['2', '1']],
  ['by a limit', { limit: 2 }, ['3', '2']],
])('filters %s', async (_what, filter, expected) => {
  const store = new QuarantineStore(await openMeta());
  store.add([refusal(1), refusal(2, { reason: 'empty' }), refusal(3)]);
  expect(topics(store, filter)).toEqual(expected);
});

it('a refusal that is there already is left alone, also after a restart', async () => {
  const directory = await tempDir();
  const db = await openMeta(directory);
  new QuarantineStore(db).add([refusal(1), refusal(2)]);
  db.close();
  const store = new QuarantineStore(await openMeta(directory));
  store.add([refusal(1), refusal(2), refusal(3), { ...refusal(3), item: 1 }]);
  expect(topics(store)).toEqual(['3', '3', '2', '1']);
  expect(store.count()).toBe(4);
  expect(store.behindNewest).toBe(301);
});

it('tells listeners what was added, once, and not what was there or failed', async () => {
  const store = new QuarantineStore(await openMeta());
  const told: string[][] = [];
  const end = store.watch((items) => told.push(items.map(({ id, topic }) => `${id} ${topic}`)));
  store.add([refusal(1), refusal(2)]);
  store.add([refusal(1), refusal(2)]);
  expect(() => store.add([refusal(3), refusal(4, { topic: undefined as unknown as string })])).toThrow();
  store.add([refusal(2), refusal(3)]);
  end();
  store.add([refusal(5)]);
  expect(told).toEqual([['1 sensors/s1', '2 sensors/s2'], ['3 sensors/s3']]);
});

it.each([
  ['items', { maxItems: 3, maxBytes: 1e9 }, ['5', '4', '3']],
  ['bytes', { maxItems: 100, maxBytes: 20 }, ['5', '4']],
  ['bytes, but the newest stays', { maxItems: 100, maxBytes: 1 }, ['5']],
])('the oldest go past the bound on %s, counted, also across a restart', async (_what, bounds, expected) => {
  const db = await openMeta();
  const first = new QuarantineStore(db, bounds).add([refusal(1), refusal(2), refusal(3)]);
  const store = new QuarantineStore(db, bounds);
  const second = store.add([refusal(4), refusal(5)]);
  expect(topics(store)).toEqual(expected);
  expect(first + second).toBe(5 - expected.length);
  expect(store.count()).toBe(expected.length);
});

it('what fails half-way adds nothing and counts nothing', async () => {
  const store = new QuarantineStore(await openMeta());
  store.add([refusal(1)]);
  const broken = refusal(3, { topic: undefined as unknown as string });
  expect(() => store.add([...range(2, 3).map((n) => refusal(n)), broken])).toThrow();
  expect([topics(store), store.count()]).toEqual([['1'], 1]);
  store.add([refusal(2)]);
  expect(store.count()).toBe(2);
});
