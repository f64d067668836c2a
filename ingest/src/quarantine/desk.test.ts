import {
  createMetrics,
  loadConfig,
  type QuarantineItem,
  type Submission,
  silentLogger,
  submit,
  systemClock,
} from '@tidemark/core';
import { AuditLog } from '@tidemark/store';
import { expect, it, onTestFinished, vi } from 'vitest';
import { Ingest } from '../ingest.ts';
import { FakeEngine, metricOf, openMeta, range, startRegistry, tempDir } from '../testing/test-parts.ts';

const cause = { actor: 'ann', note: 'the gateway was mended' };

interface Parts {
  dataDir?: string;
  engine?: FakeEngine;
  settings?: Record<string, unknown>;
}

async function startIngest({ dataDir, engine = new FakeEngine(), settings = {} }: Parts = {}) {
  const folder = dataDir ?? (await tempDir());
  const meta = await openMeta(folder);
  const audit = new AuditLog({ db: meta, clock: systemClock, maxEntries: 100 });
  const metrics = createMetrics();
  const registrar = await startRegistry({}, meta);
  const ingest = new Ingest({
    config: loadConfig({ overrides: { dataDir: folder, 'ingest.batchAgeMs': 1, ...settings } }),
    clock: systemClock,
    logger: silentLogger,
    metrics,
    engine: engine.asEngine(),
    meta,
    registrar,
    audit,
    incidents: { tell: () => {} },
    topics: { command: () => {} },
  });
  await ingest.start();
  onTestFinished(() => ingest.stop());
  const give = (topic: string, payload: string) =>
    submit(ingest.acceptor, { source: 'mqtt', topic, payload: Buffer.from(payload) });
  return { dataDir: folder, ingest, engine, audit, metrics, meta, registrar, give };
}

type Started = Awaited<ReturnType<typeof startIngest>>;

/** The items, oldest first, once there are so many. */
async function itemsOf({ ingest }: Started, count: number): Promise<QuarantineItem[]> {
  await expect.poll(() => ingest.quarantine.count()).toBe(count);
  return ingest.quarantine.list({ limit: 1000 }).reverse();
}

async function storedBy({ ingest, engine }: Started) {
  await ingest.freshness.flush(10_000);
  return engine.batches.flat();
}

const strict = { 'ingest.maxFieldsPerReading': 1, 'ingest.maxReadingsPerMessage': 3 };

it('what a limit refused is stored, once that is raised, with the time it was first given', async () => {
  const first = await startIngest({ settings: strict });
  await first.give('sensors/a', '{"x": 1, "y": 2}');
  await first.give('lines/gateway', 'm,sensor=b x=1,y=2');
  const items = [{ sensor: 'c', x: 1, y: 2 }];
  await submit(first.ingest.acceptor, { source: 'http', topic: '/api/v1/readings', items });
  const refused = await itemsOf(first, 3);
  await first.ingest.stop();

  const second = await startIngest({ dataDir: first.dataDir });
  expect(await second.ingest.desk.replayAll({ limit: 10 }, cause)).toEqual({
    replayed: 3,
    refused: 0,
    reasons: {},
    left: 0,
    next: undefined,
  });
  const stored = await storedBy(second);
  expect(stored.map(({ tags, timeNs, fields }) => [tags[0]?.[1], timeNs, fields])).toEqual(
    refused.map(({ timeNs }, index) => [
      'abc'[index],
      timeNs,
      [
        ['x', 1],
        ['y', 2],
      ],
    ]),
  );
  expect(new Set(refused.map(({ timeNs }) => timeNs)).size).toBe(3);
  expect(second.ingest.quarantine.count()).toBe(0);
  expect(second.audit.list({ limit: 10 })).toMatchObject([
    {
      action: 'quarantine.replay',
      actor: 'ann',
      note: cause.note,
      target: {},
      counts: { replayed: 3, refused: 0 },
    },
  ]);
  expect(await metricOf(second.metrics, 'tidemark_quarantine_replayed_total')).toBe(3);
});

it('a replayed part of a message takes the place of no other part, and a part twice that of none', async () => {
  const first = await startIngest({ settings: strict });
  await first.give('sensors/a', '[{"x": 1}, {"x": 2, "y": 2}, {"x": 3}]');
  await first.give('lines/g', 'm x=1\nm x=2,y=2\nm x=3');
  const early = await storedBy(first);
  await itemsOf(first, 2);
  await first.ingest.stop();
  const second = await startIngest({ dataDir: first.dataDir });
  await second.ingest.desk.replayAll({ limit: 10 }, cause);
  const all = [...early, ...(await storedBy(second))];
  const identities = all.map(({ measurement, timeNs }) => `${measurement} ${timeNs}`);
  expect([all.length, new Set(identities).size]).toEqual([6, 6]);
});

it('the accepted part of a reading and its replay are one reading', async () => {
  const parts = await startIngest();
  await parts.give('sensors/a', '{"x": 1, "y": null}');
  await itemsOf(parts, 1);
  await parts.ingest.desk.replayAll({ limit: 10 }, cause);
  const [once, again, ...none] = await storedBy(parts);
  expect(again).toEqual(once);
  expect(none).toEqual([]);
});

it('what is refused again stays once, with the new reason; nothing of it goes through the log', async () => {
  const first = await startIngest({ settings: strict });
  await first.give('sensors/a', '{"x": null, "y": null}');
  await first.give('sensors/b', '{"x": 1, "y": {}}');
  const before = await itemsOf(first, 2);
  expect(before.map(({ reason }) => reason)).toEqual(['too_many_fields', 'too_many_fields']);
  await first.ingest.stop();

  const second = await startIngest({ dataDir: first.dataDir });
  for (const _ of range(0, 2)) {
    expect(await second.ingest.desk.replayAll({ limit: 10 }, cause)).toMatchObject({
      replayed: 0,
      refused: 2,
      reasons: { missing_value: 1, wrong_type: 1 },
      left: 0,
    });
  }
  const after = await itemsOf(second, 2);
  expect(after.map(({ id, timeNs, payload }) => ({ id, timeNs, payload }))).toEqual(
    before.map(({ id, timeNs, payload }) => ({ id, timeNs, payload })),
  );
  expect(after.map(({ reason, detail }) => [reason, detail])).toEqual([
    ['missing_value', 'x has no value; y has no value'],
    ['wrong_type', 'y is an object, not a number, boolean or string'],
  ]);
  expect(await metricOf(second.metrics, 'tidemark_ingest_quarantined_total')).toBe(0);
});

it('two items that become the same are one', async () => {
  const parts = await startIngest();
  await parts.give('sensors/a', '{"x": null, "y": {}}');
  const [first] = await itemsOf(parts, 2);
  // Each keeps its own reason while that is among the new ones.
  await parts.ingest.desk.replayAll({ limit: 10 }, cause);
  expect((await itemsOf(parts, 2)).map(({ reason }) => reason)).toEqual(['missing_value', 'wrong_type']);
  // Played: the second was refused for what is no reason any more.
  const { accept } = parts.ingest.acceptor;
  vi.spyOn(parts.ingest.acceptor, 'accept').mockImplementation((submission, done) => {
    const outcome = accept.call(parts.ingest.acceptor, submission, done);
    return {
      ...outcome,
      ids: [],
      accepted: 0,
      rejected: outcome.rejected.filter(({ code }) => code === 'missing_value'),
    };
  });
  await parts.ingest.desk.replayAll({ limit: 10 }, cause);
  expect((await itemsOf(parts, 1))[0]!.timeNs).toBe(first!.timeNs);
});

it('points that the store refused are given to it again as lines, whatever their names are', async () => {
  const engine = new FakeEngine();
  range(0, 2).forEach((n) => void engine.refused.add(n));
  const parts = await startIngest({ engine });
  await parts.give('sensors/back\\slash, and = space\\', '{"n": 0, "time": 5000000}');
  await parts.give('sensors/plain', '{"n": 1, "time": 5000001}');
  const [odd] = await itemsOf(parts, 2);
  expect(odd).toMatchObject({ source: 'store', reason: 'type_conflict' });
  engine.refused.delete(0);
  expect(await parts.ingest.desk.replayAll({ source: 'store', limit: 10 }, cause)).toMatchObject({
    replayed: 1,
    refused: 1,
    reasons: { type_conflict: 1 },
  });
  expect(await storedBy(parts)).toMatchObject([
    { measurement: 'readings', tags: [['sensor', 'back\\slash, and = space\\']], fields: [['n', 0]] },
  ]);
  expect((await itemsOf(parts, 1)).map(({ sensor }) => sensor)).toEqual(['plain']);
});

it('a point that the store refused keeps its time, although its sensor is stamped by the server now', async () => {
  const engine = new FakeEngine();
  engine.refused.add(0);
  const parts = await startIngest({ engine });
  await parts.give('sensors/a', '{"n": 0, "time": 5000000}');
  await itemsOf(parts, 1);
  engine.refused.clear();
  parts.registrar.write({ sensors: [{ ...parts.registrar.sensor('a')!, timeFrom: 'server' }] });
  expect(await parts.ingest.desk.replayAll({ limit: 10 }, cause)).toMatchObject({ replayed: 1 });
  expect(await storedBy(parts)).toMatchObject([{ timeNs: 5_000_000_000_000_000n }]);
});

it('what can be given no more holds up nothing else', async () => {
  const parts = await startIngest();
  await parts.give('sensors/a', 'x');
  await parts.give('sensors/b', 'x');
  await itemsOf(parts, 2);
  // Played: a topic that was mapped to readings once, and a line that some other version wrote.
  parts.meta.exec(`UPDATE quarantine SET topic = 'commands/a' WHERE sensor = 'a'`);
  parts.meta.exec(
    `UPDATE quarantine SET source = 'store', payload = CAST('no line' AS BLOB) WHERE sensor = 'b'`,
  );
  expect(await parts.ingest.desk.replayAll({ limit: 10 }, cause)).toMatchObject({ replayed: 0, refused: 2 });
  expect((await itemsOf(parts, 2)).map(({ detail }) => detail)).toEqual([
    'topic commands/a claims to hold no readings any more',
    expect.stringContaining('line 1: '),
  ]);
  const [, second] = await itemsOf(parts, 2);
  await expect(parts.ingest.desk.replay(second!.id, cause, Buffer.from('x'))).rejects.toMatchObject({
    code: 'bad_request',
  });
});

it('many are replayed a part at a time, oldest first, without those that came meanwhile', async () => {
  const first = await startIngest({ settings: strict });
  for (const n of range(0, 7)) await first.give('sensors/a', `{"x": ${n}, "y": ${n}}`);
  await itemsOf(first, 7);
  await first.ingest.stop();
  const second = await startIngest({ dataDir: first.dataDir });
  const { desk } = second.ingest;
  const one = await desk.replayAll({ limit: 3 }, cause);
  expect(one).toMatchObject({ replayed: 3, left: 4 });
  await second.give('sensors/a', 'nonsense');
  await itemsOf(second, 5);
  const two = await desk.replayAll({ limit: 3, after: one.next }, cause);
  expect(two).toMatchObject({ replayed: 3, left: 1 });
  expect(await desk.replayAll({ limit: 3, after: two.next }, cause)).toMatchObject({ replayed: 1, left: 0 });
  expect((await storedBy(second)).map(({ fields }) => fields[0]![1])).toEqual(range(0, 7));
});

it('one item can be given with its payload mended; a mended one that is refused changes nothing', async () => {
  const parts = await startIngest();
  await parts.give('sensors/a/x', '1,5');
  const [item] = await itemsOf(parts, 1);
  const { desk, quarantine } = parts.ingest;
  expect(await desk.replay(item!.id, cause, Buffer.from('null'))).toMatchObject({ refused: 1 });
  expect(quarantine.get(item!.id)).toEqual(item);
  expect(await desk.replay(item!.id, cause, Buffer.from('1.5'))).toMatchObject({ replayed: 1, refused: 0 });
  expect(await storedBy(parts)).toMatchObject([{ timeNs: item!.timeNs, fields: [['x', 1.5]] }]);
  expect(await desk.replay(item!.id, cause)).toBeUndefined();
  expect(parts.audit.list({ limit: 1 })).toMatchObject([{ target: { id: item!.id, payload: 'changed' } }]);
});

it('a reading leaves the quarantine only once it is durable, and stays where the log takes nothing', async () => {
  const first = await startIngest({ settings: strict });
  await first.give('sensors/a', '{"x": 1, "y": 2}');
  const [item] = await itemsOf(first, 1);
  await first.ingest.stop();
  const { ingest } = await startIngest({ dataDir: first.dataDir });
  const { accept } = ingest.acceptor;
  const durable = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<Submission>();
  vi.spyOn(ingest.acceptor, 'accept').mockImplementation((submission, done) => {
    asked.resolve(submission);
    return accept.call(ingest.acceptor, submission, (error) => void durable.promise.then(() => done(error)));
  });
  const replayed = ingest.desk.replay(item!.id, cause);
  expect(await asked.promise).toMatchObject({
    source: 'mqtt',
    topic: 'sensors/a',
    firstGivenNs: item!.timeNs,
  });
  expect(ingest.quarantine.get(item!.id)).toEqual(item);
  durable.resolve();
  expect(await replayed).toMatchObject({ replayed: 1 });
  expect(ingest.quarantine.count()).toBe(0);
});

it('says so when nothing can be accepted, and leaves everything where it is', async () => {
  const parts = await startIngest();
  await parts.give('sensors/a', '{}');
  const [item] = await itemsOf(parts, 1);
  await parts.ingest.stop();
  await expect(parts.ingest.desk.replayAll({ limit: 1 }, cause)).rejects.toMatchObject({ retryable: true });
  expect(item).toBeDefined();
});

it('discards one or many, with who, what, how many and why', async () => {
  const parts = await startIngest();
  const { desk } = parts.ingest;
  for (const n of range(0, 450)) void parts.give(`sensors/s${n % 2}`, n % 2 === 0 ? '{}' : 'nonsense');
  const items = await itemsOf(parts, 450);
  expect(desk.discard(items[0]!.id, cause)).toBe(true);
  expect(desk.discard(items[0]!.id, cause)).toBe(false);
  expect(await desk.discardAll({ reason: 'empty', fromNs: 0n }, cause)).toBe(224);
  expect(await desk.discardAll({ reason: 'empty' }, cause)).toBe(0);
  expect(parts.ingest.quarantine.summary({})).toMatchObject({
    count: 225,
    byReason: [{ reason: 'malformed_json', count: 225 }],
  });
  expect(parts.audit.list({ limit: 10 })).toMatchObject([
    {
      action: 'quarantine.discard',
      actor: 'ann',
      target: { reason: 'empty', from: '1970-01-01T00:00:00Z' },
      counts: { discarded: 224 },
      note: cause.note,
    },
    { target: { id: items[0]!.id }, counts: { discarded: 1 } },
  ]);
  expect(await metricOf(parts.metrics, 'tidemark_quarantine_discarded_total')).toBe(225);
});
