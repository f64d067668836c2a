import { createMetrics, loadConfig, silentLogger, TidemarkError } from '@tidemark/core';
import { expect, it, onTestFinished } from 'vitest';
import { Mappings } from './mappings.ts';

function mappingsOf(
  expressions: Record<string, string>,
  settings: object = {},
  expressionTimeoutMs = 2000,
): Mappings {
  const documents = Object.entries(expressions).map(([id, expression]) => ({
    id,
    topic: `${id}/{sensor}`,
    expression,
    ...settings,
  }));
  const { mappings, ingest, mapping } = loadConfig({
    overrides: {
      mappings: documents,
      'mapping.maxWaiting': 40,
      'mapping.expressionTimeoutMs': expressionTimeoutMs,
      'mapping.expressionMemoryBytes': 16 * 1024 * 1024,
    },
  });
  const made = new Mappings({
    mappings,
    limits: ingest,
    expressions: mapping,
    metrics: createMetrics(),
    logger: silentLogger,
  });
  onTestFinished(() => made.stop());
  return made;
}

const explain = async (mappings: Mappings, topic: string, payload: unknown) =>
  (await mappings.explain(topic, Buffer.from(JSON.stringify(payload))))!;

it('an expression answers one reading, several or none', async () => {
  const mappings = mappingsOf({
    one: '{"temperature": (t - 32) / 1.8, "time": at}',
    many: 'points.{"sensor": $$.gateway & "-" & id, "value": v}',
    some: 'kind = "up" ? {"value": v} : []',
    topic: '{"sensor": $sensor & "@" & $split($topic, "/")[0], "v": 1}',
  });
  const at = 1_700_000_000_123_456_789n;
  const payload = Buffer.from(`{"t": 212, "at": ${at}}`);
  expect((await mappings.explain('one/s', payload))!.readings).toEqual([
    { sensor: 's', location: undefined, timeNs: at, values: { temperature: 100 } },
  ]);
  const points = [
    { id: 1, v: 5 },
    { id: 2, v: 6 },
  ];
  expect((await explain(mappings, 'many/s', { gateway: 'g', points })).readings).toMatchObject([
    { sensor: 'g-1', values: { value: 5 } },
    { sensor: 'g-2', values: { value: 6 } },
  ]);
  expect(await explain(mappings, 'some/s', { kind: 'down', v: 1 })).toMatchObject({
    readings: [],
    rejected: [],
  });
  expect((await explain(mappings, 'some/s', { kind: 'up', v: 1 })).readings).toHaveLength(1);
  expect((await explain(mappings, 'topic/s', {})).readings).toMatchObject([{ sensor: 's@topic' }]);
});

it('it is given CSV as rows and plain values as text', async () => {
  const csv = mappingsOf({ csv: '$.{"v": $number(v), "time": t}' }, { format: 'csv' });
  const rows = await csv.explain('csv/s', Buffer.from('t,v\n2023-11-14 22:13:20,1\n2023-11-14 22:13:21,2\n'));
  expect(rows!.readings).toMatchObject([{ values: { v: 1 } }, { values: { v: 2 } }]);
  const value = mappingsOf({ value: '{"v": $number($split($, " ")[0])}' }, { format: 'value' });
  expect((await value.explain('value/s', Buffer.from('21.5 °C')))!.readings).toMatchObject([
    { values: { v: 21.5 } },
  ]);
});

it.each([
  ['mapping_failed', '$error("no")'],
  ['mapping_failed', '$sum("x")'],
  ['mapping_failed', 'function($x) { $x }($x($))'],
  ['mapping_failed', '($f := function($n) { 1 + $f($n) }; $f(1))'],
  ['mapping_failed', '[1..9999999]'],
  ['mapping_failed', '$pad("x", 2000000)'],
  ['mapping_failed', '($f := function($s) { $f($s & $s) }; $f("xxxxxxxx"))'],
  ['mapping_timeout', '($f := function() { $f() }; $f())'],
  ['mapping_timeout', '$match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/)'],
  ['wrong_type', '5'],
  ['wrong_type', '{"value": {"x": 1}}'],
  ['missing_value', '{"sensor": "x"}'],
  ['too_many_readings', '[1..2000].{"value": $}'],
])('%s: %s, and what comes behind it is read', { timeout: 60_000 }, async (reason, expression) => {
  const mappings = mappingsOf({ m: `bad ? ${expression} : {"value": 7}` });
  const [before, bad, after] = await Promise.all([
    explain(mappings, 'm/s', { bad: false }),
    explain(mappings, 'm/s', { bad: true }),
    explain(mappings, 'm/s', { bad: false }),
  ]);
  expect(bad).toMatchObject({ readings: [], rejected: [{ code: reason }] });
  expect(bad.rejected[0]!.detail).toMatch(/^mapping m: /);
  for (const good of [before, after])
    expect(good).toMatchObject({ readings: [{ values: { value: 7 } }], rejected: [] });
});

it('one that takes too much memory ends nothing but its own process', { timeout: 60_000 }, async () => {
  const hoard = '$count($map([1..5000], function($i) { $string($$) & $i }))';
  const mappings = mappingsOf({ m: `bad ? ${hoard} : {"value": 7}` }, {}, 10_000);
  const bad = explain(mappings, 'm/s', { bad: true, text: 'x'.repeat(200_000) });
  const good = explain(mappings, 'm/s', { bad: false });
  const { rejected } = await bad;
  expect(rejected).toMatchObject([{ code: 'mapping_failed' }]);
  expect(rejected[0]!.detail).toContain('memory');
  expect(await good).toMatchObject({ readings: [{ values: { value: 7 } }] });
});

it('one that hangs does not hold up another', { timeout: 60_000 }, async () => {
  const mappings = mappingsOf({ hangs: '($f := function() { $f() }; $f())', works: '{"v": v}' });
  const order: string[] = [];
  await Promise.all([
    explain(mappings, 'works/s', { v: 0 }),
    explain(mappings, 'hangs/s', {}).then(() => order.push('hangs')),
    explain(mappings, 'hangs/s', {}).then(() => order.push('hangs')),
    explain(mappings, 'works/s', { v: 1 }).then(() => order.push('works')),
  ]);
  expect(order).toEqual(['works', 'hangs', 'hangs']);
});

it('messages keep their order', async () => {
  const mappings = mappingsOf({ m: '{"v": $sum([1..n]) * 0 + n}' });
  const sizes = [5000, 1, 3000, 2, 1000, 3];
  const order: unknown[] = [];
  await Promise.all(
    sizes.map(async (n) => {
      const { readings } = await explain(mappings, 'm/s', { n });
      order.push(readings[0]!.values.v);
    }),
  );
  expect(order).toEqual(sizes);
});

it('too many that wait are told to come again, and none of the others is lost', async () => {
  const mappings = mappingsOf({ m: '{"v": v}' });
  const all = await Promise.allSettled(Array.from({ length: 50 }, (_, v) => explain(mappings, 'm/s', { v })));
  const refused = all.filter(({ status }) => status === 'rejected');
  expect(all.length - refused.length).toBe(40);
  for (const { reason } of refused as PromiseRejectedResult[]) {
    expect(reason).toBeInstanceOf(TidemarkError);
    expect(reason).toMatchObject({ code: 'unavailable', retryable: true });
  }
});

it('expressions that cannot be read are told at the start, all of them', () => {
  expect(() => mappingsOf({ m: '{"v": ', n: 'v', o: '$x(' })).toThrow(
    /2 faults: mappings\.m\.expression: .*; mappings\.o\.expression: /,
  );
});

it('a stop answers what waits, or gives it up', { timeout: 60_000 }, async () => {
  const mappings = mappingsOf({ works: '{"v": v}', hangs: '($f := function() { $f() }; $f())' });
  // Its process has started: else what waits for that would be given up as well.
  await explain(mappings, 'works/s', { v: 0 });
  const works = explain(mappings, 'works/s', { v: 1 });
  const hangs = [1, 2, 3, 4].map(() => explain(mappings, 'hangs/s', {}));
  const settled = Promise.allSettled(hangs);
  await mappings.stop();
  expect(await works).toMatchObject({ readings: [{ values: { v: 1 } }] });
  expect((await settled).at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
  await expect(explain(mappings, 'works/s', { v: 1 })).rejects.toMatchObject({ retryable: true });
});
