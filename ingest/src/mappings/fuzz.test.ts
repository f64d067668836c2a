import { createMetrics, idProblem, loadConfig, quarantineReasons, silentLogger } from '@tidemark/core';
import { Encoder } from 'cbor-x';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Mappings } from './mappings.ts';

// Bytes that no device should send, and those that one almost does: whatever comes, it is readings or reasons.

const limits = { maxReadingsPerMessage: 50, maxFieldsPerReading: 20 };
const documents = [
  { preset: 'zigbee2mqtt' },
  { preset: 'tasmota', zone: 'Europe/Berlin' },
  { preset: 'shelly' },
  { preset: 'the-things-stack' },
  { id: 'parse', topic: 'parse/{sensor}', numbersAsStrings: 'parse', time: '$.t', units: { a: '°F → °C' } },
  { id: 'csv', topic: 'csv/{sensor}', format: 'csv' },
  {
    id: 'named',
    topic: 'named',
    format: 'csv',
    csv: { columns: ['s', 't', 'v'] },
    sensor: '$.s',
    time: '$.t',
  },
  { id: 'cbor', topic: 'cbor/{sensor}', format: 'cbor' },
  { id: 'value', topic: 'value/{sensor}/{metric}', format: 'value' },
  { id: 'lines', topic: 'in/#', format: 'lines' },
];
const {
  mappings: settings,
  ingest,
  mapping: expressions,
} = loadConfig({ overrides: { mappings: documents } });
const mappings = new Mappings({
  mappings: settings,
  limits: { ...ingest, ...limits },
  expressions,
  metrics: createMetrics(),
  logger: silentLogger,
});

const topics = [
  'zigbee2mqtt/s',
  'tele/s/SENSOR',
  'shellies/s/sensor/m',
  'shellyx/events/rpc',
  'shellyx/status/switch:0',
  'v3/a/devices/s/up',
  'parse/s',
  'csv/s',
  'named',
  'cbor/s',
  'value/s/m',
  'in/s',
];

async function check(topic: string, payload: Uint8Array): Promise<void> {
  const found = (await mappings.explain(topic, payload))!;
  expect(found.readings.length).toBeLessThanOrEqual(limits.maxReadingsPerMessage);
  for (const { sensor, location, timeNs, values } of found.readings) {
    expect(idProblem(sensor)).toBeUndefined();
    if (location !== undefined) expect(idProblem(location)).toBeUndefined();
    if (timeNs !== undefined) expect(timeNs).toBeTypeOf('bigint');
    expect(Object.keys(values).length).toBeLessThanOrEqual(limits.maxFieldsPerReading);
    for (const [metric, value] of Object.entries(values)) {
      expect(idProblem(metric)).toBeUndefined();
      if (typeof value === 'number') expect(value).toSatisfy(Number.isFinite);
      else expect(typeof value).toMatch(/^(boolean|string)$/);
    }
  }
  for (const { code, detail } of found.rejected) {
    expect(quarantineReasons).toContain(code);
    expect(detail).toMatch(/^mapping [\w-]+: /);
    expect(detail.length).toBeLessThan(100_000);
  }
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
}

const keys = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'time',
    'ts',
    'id',
    'sensor',
    'a',
    't',
    '',
  ),
  fc.string({ maxLength: 8 }),
);
const scalars = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom('', 'NaN', '1e400', '-0', '2015-09-01 11:25:00', '٣', '\0', '\ud800', '"', '21,5'),
  fc.string({ maxLength: 20 }),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    scalars,
    fc.array(tie('tree'), { maxLength: 5 }),
    fc.array(fc.tuple(keys, tie('tree')), { maxLength: 6 }).map((pairs) => {
      const object: object = {};
      for (const [key, value] of pairs)
        Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
      return object;
    }),
  ),
}));

/** A payload with some of its bytes others, missing or twice there. */
const mutated = (payload: Uint8Array) =>
  fc
    .array(fc.tuple(fc.nat(payload.length), fc.nat(3), fc.nat(255)), { minLength: 1, maxLength: 6 })
    .map((changes) => {
      let bytes = Buffer.from(payload);
      for (const [at, kind, byte] of changes) {
        const rest = bytes.subarray(at);
        const middle = kind === 0 ? Buffer.of(byte) : kind === 1 ? Buffer.concat([rest, rest]) : Buffer.of();
        bytes = Buffer.concat([bytes.subarray(0, at), middle, kind === 3 ? rest : rest.subarray(1)]);
      }
      return bytes;
    });

const encode = (value: unknown) =>
  new Encoder({ useRecords: false, mapsAsObjects: true }).encode(value) as Uint8Array;

const real: [topic: string, payload: string | Uint8Array][] = [
  [
    'zigbee2mqtt/s',
    '{"temperature": 20.6, "state": "ON", "last_seen": "2024-01-31T12:00:00+01:00", "color": {"x": 0.4}}',
  ],
  [
    'tele/s/SENSOR',
    '{"Time": "2024-07-01T08:30:00", "AM2301": {"Temperature": 22.1}, "ENERGY": {"Power": [1, 2]}}',
  ],
  [
    'shellyx/events/rpc',
    '{"method": "NotifyStatus", "params": {"ts": 1706698800.25, "switch:0": {"apower": 18.5}}}',
  ],
  [
    'v3/a/devices/s/up',
    '{"received_at": "2024-01-31T11:00:00.1Z", "uplink_message": {"decoded_payload": {"m": 33.1}}}',
  ],
  ['csv/s', 'time,a,"b ""c"""\r\n2015-09-01 11:25:00,58,x\r\n2015-09-01 11:30:00,63,\r\n'],
  ['named', 'fridge,1706698800,4.5\nfridge,1706698860,4.6\n'],
  [
    'cbor/s',
    encode({ time: 1706698800, t: 21.5, n: { x: [1, -2, 1.5, true, null, 'text'] }, big: 2n ** 60n }),
  ],
  ['cbor/s', encode([{ t: new Date(0) }, { t: 2 }])],
  ['value/s/m', '-21.5e0'],
  ['in/s', 'cpu,host=a usage=12.5,n=5i,t="x" 1706698800000000000\n'],
];

describe('mutations of what devices send', () => {
  it.each(real)('%s', async (topic, payload) => {
    const bytes = Buffer.from(payload);
    await check(topic, bytes);
    await fc.assert(
      fc.asyncProperty(mutated(bytes), (changed) => check(topic, changed)),
      { numRuns: 300 },
    );
  });
});

it('values of any shape, on any topic', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...topics), tree, (topic, value) =>
      check(topic, topic === 'cbor/s' ? encode(value) : Buffer.from(JSON.stringify(value) ?? '')),
    ),
    { numRuns: 1500 },
  );
});

it('bytes of any kind, on any topic', async () => {
  await fc.assert(fc.asyncProperty(fc.constantFrom(...topics), fc.uint8Array({ maxLength: 200 }), check), {
    numRuns: 1500,
  });
});

it.each([
  ['nested arrays', '['.repeat(100_000) + ']'.repeat(100_000)],
  ['nested objects', '{"a":'.repeat(50_000) + '1' + '}'.repeat(50_000)],
  ['many keys', `{${Array.from({ length: 30_000 }, (_, n) => `"k${n}":${n}`).join()}}`],
  ['many bad values', `{${Array.from({ length: 30_000 }, (_, n) => `"k${n}/":1`).join()}}`],
  ['a long key', `{"${'k'.repeat(250_000)}": 1}`],
  ['a long number', `{"a": 1${'0'.repeat(250_000)}}`],
  ['many columns', `${'a,'.repeat(125_000)}\n1\n`],
  ['many short rows', 'a\n'.repeat(125_000)],
  ['an open quote', `a\n"${'x'.repeat(250_000)}`],
  ['quotes', '"'.repeat(250_000)],
  ['a header that is long, and many bad rows', `${'h'.repeat(100_000)},b\n${'1\n'.repeat(40)}`],
])('%s, on any topic', async (_name, payload) => {
  for (const topic of topics) await check(topic, Buffer.from(payload));
});

it('what is refused of one message is not many times as large', async () => {
  const payload = Buffer.from(`${'h'.repeat(100_000)},b\n${'1\n'.repeat(40)}`);
  const claim = mappings.claims.of('csv/s');
  if (claim.kind !== 'mapped') throw new Error('no mapping');
  const { faults } = await mappings.decode(claim, 'csv/s', payload);
  const kept = faults.reduce((sum, { raw }) => sum + (typeof raw === 'string' ? raw.length : 0), 0);
  expect(faults.length).toBeGreaterThan(0);
  expect(kept).toBeLessThan(payload.length);
});
