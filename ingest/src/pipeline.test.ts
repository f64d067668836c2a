import { loadConfig, type Submission } from '@tidemark/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ClockLimits } from './clock-limits.ts';
import { DeliveryMemory } from './delivery-memory.ts';
import { FieldPins } from './field-pins.ts';
import { Lateness } from './lateness.ts';
import { Pipeline } from './pipeline.ts';
import { Placement } from './placement.ts';
import { decodeRefusal, type RefusedPart } from './quarantine/refusal.ts';
import type { SpoolEntry } from './spool/entry.ts';
import { recordKinds } from './spool/record.ts';
import type { Spool } from './spool/spool.ts';
import { Stamper } from './stamper.ts';
import {
  noMappings,
  range,
  silentSparkplug,
  startRegistry,
  startSpool,
  tempDir,
} from './testing/test-parts.ts';

const nowNs = 1_800_000_000_000_000_000n;

async function startPipeline(directory?: string): Promise<{ pipeline: Pipeline; spool: Spool }> {
  const deliveries = new DeliveryMemory();
  const { spool, metrics } = await startSpool({
    ...(directory === undefined ? {} : { directory }),
    onRecovered: ({ stamps }) => stamps?.delivery && deliveries.recall(stamps.delivery),
  });
  const registrar = await startRegistry();
  const pipeline = new Pipeline({
    spool,
    stamper: new Stamper(spool.lastStampNs),
    deliveries,
    sparkplug: silentSparkplug(registrar),
    placement: new Placement({ registrar, limits: loadConfig().registry, metrics }),
    lateness: new Lateness({ allowedMs: 60_000 }),
    pins: new FieldPins('quarantine'),
    mappings: noMappings(),
    clockLimits: new ClockLimits({ maxFutureMs: 60_000, skewMs: 30_000, offClock: metrics.offClock }),
    clock: { nowNs: () => nowNs, monotonicMs: () => 0 },
    metrics,
    limits: { maxReadingsPerMessage: 100, maxFieldsPerReading: 64 },
  });
  return { pipeline, spool };
}

const mqtt = (topic: string, payload: string, messageId?: number, isDuplicate = false): Submission => ({
  source: 'mqtt',
  topic,
  payload: Buffer.from(payload),
  delivery: messageId === undefined ? undefined : { clientId: 'c', messageId, isDuplicate },
});

function accept(pipeline: Pipeline, submission: Submission) {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const outcome = pipeline.accept(submission, (error) => (error ? reject(error) : resolve()));
  return { outcome, durable: promise };
}

async function entriesOf(spool: Spool): Promise<SpoolEntry[]> {
  const all: SpoolEntry[] = [];
  for (let offset = 0; offset < spool.endOffset; ) {
    const { entries, nextOffset } = await spool.take(offset, 1e9);
    all.push(...entries);
    offset = nextOffset;
  }
  return all;
}

async function refusalsOf(spool: Spool): Promise<RefusedPart[]> {
  const entries = await entriesOf(spool);
  return entries
    .filter(({ kind }) => kind === recordKinds.refusal)
    .map(({ payload }) => decodeRefusal(payload));
}

it('answers in the order of the calls, accepted or refused, once what it answers for is in the log', async () => {
  const { pipeline, spool } = await startPipeline();
  const order: number[] = [];
  await Promise.all(
    range(0, 60).map((n) => {
      const payload = ['1', 'nonsense', `[{"a": ${n}}, {"a": null}]`][n % 3]!;
      return accept(pipeline, mqtt(n % 3 === 2 ? 'sensors/s' : 'sensors/s/m', payload)).durable.then(() =>
        order.push(n),
      );
    }),
  );
  expect(order).toEqual(range(0, 60));
  expect(await entriesOf(spool)).toHaveLength(80);
});

it('readings without a time get strictly increasing ones, also after a restart with the same clock', async () => {
  const directory = await tempDir();
  const times: bigint[] = [];
  for (const _ of range(0, 2)) {
    const { pipeline, spool } = await startPipeline(directory);
    const before = (await entriesOf(spool)).length;
    await Promise.all(
      range(0, 5).map(() => accept(pipeline, mqtt('sensors/s', '[{"a": 1}, {"a": 2}]')).durable),
    );
    const entries = (await entriesOf(spool)).slice(before);
    times.push(...entries.flatMap(({ points }) => points.map(({ timeNs }) => timeNs)));
    await spool.stop();
  }
  expect(times).toEqual(range(0, 20).map((n) => nowNs + BigInt(n * 1000)));
});

it('a resent message gets the times it was first given', async () => {
  const { pipeline } = await startPipeline();
  const first = accept(pipeline, mqtt('sensors/s', '[{"a": 1}, {"a": 2}]', 9)).outcome;
  accept(pipeline, mqtt('sensors/s', '{"a": 3}', 10));
  const again = accept(pipeline, mqtt('sensors/s', '[{"a": 1}, {"a": 2}]', 9, true));
  await again.durable;
  expect(first.ids).toEqual([`s@${nowNs}`, `s@${nowNs + 1000n}`]);
  expect(again.outcome.ids).toEqual(first.ids);
});

it('a message that is resent after a restart gets the times it was first given, and does so after another', async () => {
  const directory = await tempDir();
  const ids: (readonly string[])[] = [];
  for (const round of range(0, 3)) {
    const { pipeline, spool } = await startPipeline(directory);
    const sent = accept(
      pipeline,
      mqtt('sensors/s', '[{"a": 1}, {"a": 2, "time": 5}, {"a": 3}]', 9, round > 0),
    );
    const other = accept(pipeline, mqtt('sensors/s', '{"a": 4}', 10));
    await other.durable;
    ids.push(sent.outcome.ids, other.outcome.ids);
    await spool.stop();
  }
  const stampedAt = (n: number): string => `s@${nowNs + BigInt(n * 1000)}`;
  const first = [stampedAt(0), 's@5000000000', stampedAt(1)];
  expect(ids).toEqual([first, [stampedAt(2)], first, [stampedAt(3)], first, [stampedAt(4)]]);
});

it.each([
  ['{"a": 1, "time": -1}', 'the time is before 1970'],
  ['{"a": 1, "time": 1800000061}', 'the time is too far in the future'],
  ['{"a": 1, "time": 123456789012345678901234567890}', 'the time is too far in the future'],
])('%s is refused: %s', async (payload, detail) => {
  const { pipeline, spool } = await startPipeline();
  const { outcome, durable } = accept(pipeline, mqtt('sensors/s', payload));
  await durable;
  expect(outcome.rejected).toEqual([{ index: 0, code: 'time_out_of_range', detail }]);
  expect(await refusalsOf(spool)).toEqual([
    {
      source: 'mqtt',
      topic: 'sensors/s',
      reason: 'time_out_of_range',
      detail,
      sensor: 's',
      timeNs: nowNs,
      payload: Buffer.from(payload),
    },
  ]);
});

it('a line out of range is kept as that line', async () => {
  const { pipeline, spool } = await startPipeline();
  await accept(pipeline, mqtt('lines/x', 'm,t=x f=1,g="y" -5\nm f=2 5')).durable;
  expect((await refusalsOf(spool)).map(({ payload }) => payload.toString())).toEqual(['m,t=x f=1,g="y" -5']);
  expect((await entriesOf(spool))[0]!.points).toMatchObject([{ fields: [['f', 2]], timeNs: 5n }]);
});

it('what it accepts reads back from the disk as it was', async () => {
  const directory = await tempDir();
  const { pipeline, spool } = await startPipeline(directory);
  const payload = JSON.stringify({
    __proto__x: -0,
    'a, b=c "d" \\': 1e-320,
    text: 'line\nbreak "quoted" \\',
    on: true,
  });
  await accept(pipeline, mqtt('sensors/Wetter, "Süd"\\', `{"__proto__": 1, ${payload.slice(1)}`)).durable;
  await accept(pipeline, mqtt('lines/x', 'm,t=\\ x,u=y\\,z f=1i,g=2u,h=t,k="a\\"b" 7')).durable;
  const inMemory = (await entriesOf(spool)).map(({ points }) => points);
  await spool.stop();
  const { spool: again } = await startPipeline(directory);
  expect((await entriesOf(again)).map(({ points }) => points)).toEqual(inMemory);
  expect(inMemory[0]![0]!.fields[0]).toEqual(['__proto__', 1]);
});

it('when the log can take no more, says so and keeps nothing', async () => {
  const { pipeline, spool } = await startPipeline();
  await spool.stop();
  const { outcome, durable } = accept(pipeline, mqtt('sensors/s/m', '1'));
  await expect(durable).rejects.toMatchObject({ code: 'spool_failed', retryable: true });
  expect(outcome).toEqual({ ids: [], accepted: 0, rejected: [] });
});

it('nothing to accept is answered too', async () => {
  const { pipeline } = await startPipeline();
  await accept(pipeline, { source: 'http', topic: '/', items: [] }).durable;
});

it('no message is thrown out of, left unanswered, or costs more than a few times its size', async () => {
  const { pipeline, spool } = await startPipeline();
  const nulls = JSON.stringify(Object.fromEntries(range(0, 60).map((n) => [`m${n}`, null])));
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  const wideLine = `m ${range(0, 70)
    .map((n) => `f${n}=1`)
    .join(',')}`;
  const worst = [
    `[${nulls}]`,
    deep,
    `[{"a": ${deep}}]`,
    '[[12345678901234567890]]',
    range(0, 90)
      .map(() => wideLine)
      .join('\n'),
  ];
  const topics = fc.constantFrom('sensors/s', 'sensors/s/m', 'lines/x', 'sensors/', 'sensors//');
  const payloads = fc.oneof(fc.constantFrom(...worst), fc.json(), fc.string({ unit: 'binary' }));
  await fc.assert(
    fc.asyncProperty(topics, payloads, async (topic, payload) => {
      const before = spool.endOffset;
      const { outcome, durable } = accept(pipeline, mqtt(topic, payload));
      await durable;
      expect(outcome.accepted + outcome.rejected.length).toBeGreaterThan(0);
      expect(spool.endOffset - before).toBeLessThan(20 * Buffer.byteLength(payload) + 20_000);
    }),
    { numRuns: 300 },
  );
});
