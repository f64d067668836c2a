import { systemClock } from '@tidemark/core';
import { expect, it } from 'vitest';
import { openMeta, openQuarantine, range, tempDir } from '../testing/test-parts.ts';

import type { PlacedRefusal, QuarantineStore } from './quarantine-store.ts';

function refusal(n: number, changes: Partial<PlacedRefusal['part']> = {}): PlacedRefusal {
  return {
    offset: n * 100,
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
  const store = await openQuarantine();
  store.add('log', [refusal(1), refusal(2, { sensor: undefined, payload: Buffer.from([0, 255]) })]);
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

const everyName = { source: 'mqtt', sensor: 's2', topic: 'sensors/s2', fromNs: 0n, toNs: 2n ** 62n };

it.each([
  ['nothing', {}, ['3', '2', '1']],
  ['by reason', { reason: 'empty' as const }, ['2']],
  ['by sensor', { sensor: 's3' }, ['3']],
  ['from, inclusive', { fromNs: 1_700_000_000_000_000_002n }, ['3', '2']],
  ['to, exclusive', { toNs: 1_700_000_000_000_000_002n }, ['1']],
  ['by source', { source: 'http' }, []],
  ['by topic', { topic: 'sensors/s2' }, ['2']],
  ['by all at once', { ...everyName, reason: 'empty' as const }, ['2']],
  ['before a place', { before: { timeNs: 1_700_000_000_000_000_003n, id: '3' } }, ['2', '1']],
  ['by a limit', { limit: 2 }, ['3', '2']],
])('filters %s', async (_what, filter, expected) => {
  const store = await openQuarantine();
  store.add('log', [refusal(1), refusal(2, { reason: 'empty' }), refusal(3)]);
  expect(topics(store, filter)).toEqual(expected);
});

it('a refusal that is there already is left alone, also after a restart', async () => {
  const directory = await tempDir();
  const db = await openMeta(directory);
  (await openQuarantine({ db })).add('log', [refusal(1), refusal(2)]);
  db.close();
  const store = await openQuarantine({ db: await openMeta(directory) });
  store.add('log', [refusal(1), refusal(2), refusal(3)]);
  store.add('store', [refusal(3)]);
  expect(topics(store)).toEqual(['3', '3', '2', '1']);
  expect(store.count()).toBe(4);
  expect(store.behindNewest).toBe(301);
});

it('tells listeners what was added, once, and not what was there or failed', async () => {
  const store = await openQuarantine();
  const told: string[][] = [];
  const end = store.watch((items) => told.push(items.map(({ id, topic }) => `${id} ${topic}`)));
  store.add('log', [refusal(1), refusal(2)]);
  store.add('log', [refusal(1), refusal(2)]);
  expect(() =>
    store.add('log', [refusal(3), refusal(4, { topic: undefined as unknown as string })]),
  ).toThrow();
  store.add('log', [refusal(2), refusal(3)]);
  end();
  store.add('log', [refusal(5)]);
  expect(told).toEqual([['1 sensors/s1', '2 sensors/s2'], ['3 sensors/s3']]);
});

it.each([
  ['items', { maxItems: 3 }, ['5', '4', '3']],
  ['bytes', { maxBytes: 20 }, ['5', '4']],
  // The newest stays, whatever its size.
  ['bytes', { maxBytes: 1 }, ['5']],
  ['age', { maxAgeMs: 1 }, ['5', '4']],
] as const)(
  'the oldest go past the bound on %s, counted, also across a restart',
  async (what, bounds, expected) => {
    const clock = { ...systemClock, nowNs: () => 1_700_000_000_001_000_004n };
    const db = await openMeta();
    const first = await openQuarantine({ db, clock, ...bounds });
    first.add('log', [refusal(1), refusal(2), refusal(3)]);
    const store = await openQuarantine({ db, clock, ...bounds });
    store.add('log', [refusal(4), refusal(5)]);
    expect(topics(store)).toEqual(expected);
    const { evicted } = await openQuarantine({ db });
    expect(evicted).toEqual({ items: 0, bytes: 0, age: 0, [what]: 5 - expected.length });
    expect(store.summary({}).evicted).toEqual(evicted);
    expect(store.count()).toBe(expected.length);
  },
);

it('items go for their age although nothing is added', async () => {
  let nowNs = 1_700_000_000_000_000_002n;
  const store = await openQuarantine({ clock: { ...systemClock, nowNs: () => nowNs }, maxAgeMs: 1 });
  store.add('log', [refusal(1), refusal(2)]);
  expect(store.count()).toBe(2);
  nowNs += 1_000_000n;
  store.evict();
  expect(topics(store)).toEqual(['2']);
});

it('what left the quarantine does not come back when the log is read again, nor does its id', async () => {
  const db = await openMeta();
  const store = await openQuarantine({ db });
  store.add('log', [refusal(1), refusal(2)]);
  store.change(() => store.remove('2'));
  const again = await openQuarantine({ db });
  again.add('log', [refusal(1), refusal(2), refusal(3)]);
  expect(again.list({ limit: 9 }).map(({ id, topic }) => [id, topic])).toEqual([
    ['3', 'sensors/s3'],
    ['1', 'sensors/s1'],
  ]);
  expect(again.behindNewest).toBe(301);
});

it('counts by reason, source and sensor what matches', async () => {
  const db = await openMeta();
  const store = await openQuarantine({ db });
  store.add('log', [
    refusal(1),
    refusal(2, { sensor: 's1', reason: 'empty' }),
    refusal(3, { sensor: undefined }),
  ]);
  store.add('store', [refusal(4, { source: 'store', reason: 'empty' })]);
  expect(store.summary({})).toEqual({
    count: 4,
    byReason: [
      { reason: 'empty', count: 2 },
      { reason: 'wrong_type', count: 2 },
    ],
    bySource: [
      { source: 'mqtt', count: 3 },
      { source: 'store', count: 1 },
    ],
    bySensor: [
      { sensor: 's1', count: 2 },
      { sensor: 's4', count: 1 },
    ],
    evicted: { items: 0, bytes: 0, age: 0 },
  });
  const afterRestart = await openQuarantine({ db });
  expect(afterRestart.summary({})).toEqual(store.summary({}));
  expect(store.summary({ reason: 'empty', source: 'mqtt' })).toMatchObject({
    count: 1,
    bySource: [{ source: 'mqtt', count: 1 }],
    bySensor: [{ sensor: 's1', count: 1 }],
  });
});

it('what fails half-way adds nothing and counts nothing', async () => {
  const store = await openQuarantine();
  store.add('log', [refusal(1)]);
  const broken = refusal(3, { topic: undefined as unknown as string });
  expect(() => store.add('log', [...range(2, 3).map((n) => refusal(n)), broken])).toThrow();
  expect([topics(store), store.count()]).toEqual([['1'], 1]);
  expect(store.summary({})).toMatchObject({ count: 1, byReason: [{ reason: 'wrong_type', count: 1 }] });
  store.add('log', [refusal(2)]);
  expect(store.count()).toBe(2);
});
