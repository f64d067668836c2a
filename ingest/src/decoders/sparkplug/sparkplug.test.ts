import { claimOf, createMetrics, loadConfig, type SparkplugClaim } from '@tidemark/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { rawOf } from '../../given-faults.ts';
import { payloadBytes, type TestMetric } from '../../testing/sparkplug-bytes.ts';
import { metricOf, startRegistry } from '../../testing/test-parts.ts';
import { Sparkplug } from './sparkplug.ts';

const timeMs = 1_700_000_000_000;

async function start(settings: Record<string, unknown> = {}) {
  const config = loadConfig({ overrides: settings });
  const registry = createMetrics();
  const directory = await startRegistry();
  const commands: { topic: string; payload: Buffer }[] = [];
  const clock = { nowNs: () => BigInt(timeMs) * 1_000_000n, monotonicMs: () => clock.ms, ms: 0 };
  const sparkplug = new Sparkplug({
    config,
    directory,
    topics: { command: (topic, payload) => commands.push({ topic, payload: Buffer.from(payload) }) },
    clock,
    metrics: registry,
  });
  const decode = (topic: string, payload: Buffer, isNews = true) => {
    const { readings, lines, faults } = sparkplug.decode(claimOf(topic) as SparkplugClaim, payload, isNews);
    return {
      readings: readings.map(({ sensor, timeNs, values }) => ({
        sensor,
        timeMs: timeNs === undefined ? undefined : Number(timeNs / 1_000_000n),
        values: Object.fromEntries(values),
      })),
      down: lines.map(({ point }) => [point.tags.at(-1)![1], ...point.fields.map(([, value]) => value)]),
      faults: faults.map(({ reason, detail }) => `${reason}: ${detail}`),
      raw: faults.map((fault) => rawOf({ source: 'mqtt', topic, payload }, fault)),
    };
  };
  const send = (topic: string, metrics: TestMetric[], seq?: number, isNews = true) => {
    const { readings, down, faults } = decode(
      topic,
      payloadBytes({ timestamp: timeMs, metrics, ...(seq === undefined ? {} : { seq }) }),
      isNews,
    );
    return { readings, down, faults };
  };
  const asked = async (): Promise<string[]> => {
    await new Promise(setImmediate);
    return commands.splice(0).map(({ topic }) => topic);
  };
  return { decode, send, asked, commands, clock, registry, directory };
}

const bdSeq = (long: number): TestMetric => ({ name: 'bdSeq', datatype: 8, long });

it('stores what births and data tell, by alias', async () => {
  const { send, asked } = await start();
  const birth = send(
    'spBv1.0/plant/NBIRTH/press',
    [bdSeq(3), { name: 'Temp', alias: 7, datatype: 9, float: 21.5 }],
    0,
  );
  expect(birth.readings).toEqual([{ sensor: 'plant.press', timeMs, values: { Temp: 21.5 } }]);
  send('spBv1.0/plant/DBIRTH/press/arm', [{ name: 'Axis/1/Angle', alias: 8, datatype: 3, int: 5 }], 1);
  expect(send('spBv1.0/plant/NDATA/press', [{ alias: 7, float: 22.5 }], 2).readings).toEqual([
    { sensor: 'plant.press', timeMs, values: { Temp: 22.5 } },
  ]);
  const data = send(
    'spBv1.0/plant/DDATA/press/arm',
    [{ alias: 8, int: 0xffff_fffe, timestamp: timeMs - 5 }],
    3,
  );
  expect(data.readings).toEqual([
    { sensor: 'plant.press.arm', timeMs: timeMs - 5, values: { 'Axis.1.Angle': -2 } },
  ]);
  expect(await asked()).toEqual([]);
});

it('reads payloads byte by byte as the specification numbers them', async () => {
  const { decode } = await start();
  // Timestamp 1000; a metric "a" of type Double with 0.5; seq 0.
  const bytes = Buffer.from('08e80712100a01611001200a69000000000000e03f1800', 'hex');
  expect(decode('spBv1.0/g/NBIRTH/n', bytes).readings).toEqual([
    { sensor: 'g.n', timeMs: 1000, values: { a: 0.5 } },
  ]);
});

const cases: [datatype: number, TestMetric, value: unknown][] = [
  [1, { int: 0xff }, -1],
  [1, { int: 0xffff_ff80 }, -128],
  [2, { int: 0x8000 }, -32_768],
  [3, { int: 0x8000_0000 }, -2_147_483_648],
  [3, { int: 2n ** 64n - 5n }, -5],
  [4, { long: 2n ** 64n - 1n }, -1],
  [4, { long: 2n ** 63n }, -(2 ** 63)],
  [5, { int: 255 }, 255],
  [6, { int: 65_535 }, 65_535],
  [7, { int: 4_294_967_295 }, 4_294_967_295],
  [7, { long: 4_294_967_295 }, 4_294_967_295],
  [8, { long: 2n ** 64n - 1n }, 2 ** 64],
  [9, { float: 1.5 }, 1.5],
  [10, { double: 0.1 }, 0.1],
  [11, { boolean: true }, true],
  [12, { text: 'on' }, 'on'],
  [13, { long: timeMs }, timeMs],
  [14, { text: 'é' }, 'é'],
  [15, { text: '6f1b…' }, '6f1b…'],
  [9, { float: Number.NaN }, 'not_finite: x is no finite number'],
  [10, { double: Number.POSITIVE_INFINITY }, 'not_finite: x is no finite number'],
  [16, { dataset: Buffer.from([0x0a]) }, 'wrong_type: x is a data set'],
  [17, { bytes: Buffer.from([1]) }, 'wrong_type: x is bytes'],
  [18, { bytes: Buffer.from([1]) }, 'wrong_type: x is a file'],
  [19, { template: Buffer.from([1]) }, 'wrong_type: x is a template'],
  [22, { bytes: Buffer.from([1]) }, 'wrong_type: x is an array'],
  [34, { bytes: Buffer.from([1]) }, 'wrong_type: x is an array'],
  [99, { int: 1 }, 'wrong_type: x is of the unknown data type 99'],
  [3, { bytes: Buffer.from([1]) }, 'wrong_type: x holds bytes, not a value of its data type'],
  [3, {}, 'missing_value: x has no value'],
];

it.each(cases)('takes data type %i with %o as %o', async (datatype, metric, value) => {
  const { send } = await start();
  const { readings, faults } = send('spBv1.0/g/NBIRTH/n', [{ name: 'x', datatype, ...metric }], 0);
  expect(readings[0]?.values.x ?? faults[0]).toBe(value);
});

it('stores nothing for null, transient and the metrics of the protocol, and counts them', async () => {
  const { send, registry } = await start();
  const born = send('spBv1.0/g/NBIRTH/n', [
    bdSeq(0),
    { name: 'Node Control/Rebirth', datatype: 11, boolean: false },
    { name: 'a', datatype: 10, isNull: true },
    { name: 'b', datatype: 10, double: 1, isTransient: true },
    { name: 'c', datatype: 10, double: 2, isHistorical: true },
  ]);
  expect(born).toEqual({ readings: [{ sensor: 'g.n', timeMs, values: { c: 2 } }], faults: [], down: [] });
  expect(await metricOf(registry, 'tidemark_sparkplug_unstored_values_total')).toBe(4);
});

it('refuses names that cannot be told apart or are a reading’s own', async () => {
  const { send } = await start();
  const named = (name: string): TestMetric => ({ name, datatype: 10, double: 1 });
  const { readings, faults } = send('spBv1.0/g/NBIRTH/n', [
    named('a/b'),
    named('a.b'),
    named('time'),
    named('__proto__'),
  ]);
  expect(readings[0]!.values).toEqual(
    Object.fromEntries([
      ['a.b', 1],
      ['__proto__', 1],
    ]),
  );
  expect(faults).toEqual([
    'bad_metric: a/b and a.b are both stored as a.b; time is a name that a reading uses for itself',
  ]);
});

it('asks a node for births when data came without them, and replays read the same then', async () => {
  const { send, decode, asked, clock } = await start();
  const data = payloadBytes({
    timestamp: timeMs,
    metrics: [
      { alias: 1, double: 2 },
      { name: 'b', double: 3 },
    ],
  });
  const before = decode('spBv1.0/g/NDATA/n', data);
  expect(before.readings).toEqual([{ sensor: 'g.n', timeMs, values: { b: 3 } }]);
  expect(before.faults).toEqual(['no_birth: no birth was received that says what alias 1 is']);
  expect(before.raw[0]).toEqual(data);
  send('spBv1.0/g/NDATA/n', [{ alias: 1, double: 2 }]);
  expect(await asked()).toEqual(['spBv1.0/g/NCMD/n']);
  clock.ms += 30_000;
  send('spBv1.0/g/NDATA/n', [{ alias: 1, double: 2 }]);
  expect(await asked()).toEqual(['spBv1.0/g/NCMD/n']);
  send('spBv1.0/g/NBIRTH/n', [{ name: 'a', alias: 1, datatype: 10, double: 1 }], 0);
  expect(decode('spBv1.0/g/NDATA/n', before.raw[0] as Buffer, false).readings).toEqual([
    { sensor: 'g.n', timeMs, values: { a: 2, b: 3 } },
  ]);
});

it('says Node Control/Rebirth = true in a command', async () => {
  const { send, asked, commands } = await start();
  send('spBv1.0/g/DDATA/n/d', [{ name: 'a', double: 2 }]);
  await new Promise(setImmediate);
  expect(commands[0]!.payload).toEqual(
    payloadBytes({
      timestamp: timeMs,
      metrics: [{ name: 'Node Control/Rebirth', timestamp: timeMs, datatype: 11, boolean: true }],
    }),
  );
  expect(await asked()).toEqual(['spBv1.0/g/NCMD/n']);
});

it('counts gaps in the numbers of a node’s messages once, also where they begin anew', async () => {
  const { send, asked, registry } = await start();
  send('spBv1.0/g/NBIRTH/n', [bdSeq(0), { name: 'a', alias: 1, datatype: 10, double: 1 }], 253);
  const gaps = async (...numbers: number[]): Promise<number> => {
    for (const seq of numbers) send('spBv1.0/g/NDATA/n', [{ alias: 1, double: seq }], seq);
    return metricOf(registry, 'tidemark_sparkplug_sequence_gaps_total');
  };
  expect(await gaps(254, 255, 0, 1)).toBe(0);
  expect(await gaps(1)).toBe(0);
  expect(await gaps(3, 2, 4)).toBe(1);
  expect(await asked()).toEqual(['spBv1.0/g/NCMD/n']);
});

it('tells of deaths as sensors that are down, and needs new births then', async () => {
  const { send, asked, directory } = await start();
  for (const id of ['g.n', 'g.n.d', 'g.n.e']) directory.register(id, id === 'g.n.d' ? 'hall' : undefined, []);
  const metric = { name: 'a', alias: 1, datatype: 10, double: 1 };
  const bear = (number: number) => {
    send('spBv1.0/g/NBIRTH/n', [bdSeq(number), metric], 0);
    for (const device of ['d', 'e']) send(`spBv1.0/g/DBIRTH/n/${device}`, [metric], device === 'd' ? 1 : 2);
  };
  bear(1);
  expect(send('spBv1.0/g/DDEATH/n/e', [], 3).down).toEqual([['g.n.e', 1, 0]]);
  expect(send('spBv1.0/g/NDEATH/n', [bdSeq(0)]).down).toEqual([]);
  expect(send('spBv1.0/g/NDATA/n', [{ alias: 1, double: 1 }], 4).faults).toEqual([]);
  expect(send('spBv1.0/g/NDEATH/n', [bdSeq(1)]).down).toEqual([
    ['g.n', 1, 0],
    ['g.n.d', 1, 0],
  ]);
  expect(await asked()).toEqual([]);
  expect(send('spBv1.0/g/NDATA/n', [{ alias: 1, double: 1 }]).faults).toHaveLength(1);
  expect(await asked()).toEqual(['spBv1.0/g/NCMD/n']);
});

it('keeps the births of no more metrics than it may', async () => {
  const { send, asked, registry } = await start({ 'sparkplug.maxMetrics': 5 });
  for (const node of ['a', 'b', 'c'])
    send(`spBv1.0/g/NBIRTH/${node}`, [{ name: 'x', alias: 1, datatype: 10, double: 1 }]);
  expect(await metricOf(registry, 'tidemark_sparkplug_forgotten_nodes_total')).toBe(1);
  for (const node of ['a', 'b', 'c']) send(`spBv1.0/g/NDATA/${node}`, [{ alias: 1, double: 1 }]);
  expect(await asked()).toEqual(['spBv1.0/g/NCMD/a']);
});

it('makes as many readings of a message as its metrics need', async () => {
  const { decode, send } = await start({
    'ingest.maxFieldsPerReading': 2,
    'ingest.maxReadingsPerMessage': 3,
  });
  const many = (count: number): TestMetric[] =>
    Array.from({ length: count }, (_, index) => ({ name: `m${index}`, datatype: 10, double: index }));
  expect(
    send('spBv1.0/g/NBIRTH/n', many(5)).readings.map(({ values }) => Object.keys(values).length),
  ).toEqual([2, 2, 1]);
  expect(send('spBv1.0/g/NBIRTH/n', many(7)).faults).toEqual(['too_many_readings: 7 metrics in a message']);
  const timed = [1, 2, 3, 4].map((timestamp) => ({ name: 'm', datatype: 10, double: 1, timestamp }));
  expect(send('spBv1.0/g/NBIRTH/n', timed).faults).toEqual(['too_many_readings: 4 readings; the limit is 3']);
  const mixed = payloadBytes({
    timestamp: timeMs,
    metrics: [
      { name: 'a', datatype: 22, bytes: Buffer.from([1]), timestamp: 1 },
      { name: 'b', datatype: 10, double: 1 },
    ],
  });
  const { raw, readings } = decode('spBv1.0/g/NBIRTH/n', mixed);
  expect(readings).toHaveLength(1);
  // What is kept of the refused part can be given again, and is that part alone.
  const again = decode('spBv1.0/g/NBIRTH/n', Buffer.from(raw[0]!), false);
  expect([again.readings, again.faults]).toEqual([[], ['wrong_type: a is an array']]);
});

it.each([
  ['spBv1.0/g/NDATA/n', 'empty: the message holds no metric'],
  ['spBv1.0/g/NDATA', 'bad_sensor: a level of the topic is empty'],
  ['spBv1.0/g/NDATA/n/d', 'bad_sensor: the topic of NDATA ends with the edge node'],
  ['spBv1.0/g/DDATA/n', 'bad_sensor: the topic of DDATA names no device'],
  ['spBv1.0/g/DDATA/n/d/e', 'bad_sensor: the topic has levels behind the device'],
])('refuses %s', async (topic, fault) => {
  const { send } = await start();
  expect(send(topic, []).faults).toEqual([fault]);
});

it.each(['spBv1.0/g/NCMD/n', 'spBv1.0/g/DCMD/n/d', 'spBv1.0/STATE/host', 'spBv1.0/g/OTHER/n', 'spBv1.0/'])(
  'leaves %s to others',
  (topic) => {
    expect(claimOf(topic).kind).toBe('other');
  },
);

it('reads whatever bytes come without harm, and never half of a payload', async () => {
  const { decode } = await start();
  const real = payloadBytes({
    timestamp: timeMs,
    seq: 4,
    metrics: [
      { name: 'Temp', alias: 1, datatype: 9, float: 21.5, timestamp: timeMs },
      { name: 'status', alias: 2, text: 'running', datatype: 12 },
      { name: 'n', datatype: 4, long: 2n ** 64n - 3n },
    ],
  });
  for (let length = 1; length < real.length; length++) {
    const { faults, readings } = decode('spBv1.0/g/NBIRTH/n', real.subarray(0, length));
    // Cut between two metrics it is a payload, of those before.
    for (const { values } of readings) expect({ Temp: 21.5, n: -3, status: 'running' }).toMatchObject(values);
    expect(faults.length + readings.length, `${length} bytes`).toBeGreaterThan(length > 7 ? 0 : -1);
  }
  const edits = fc.array(fc.tuple(fc.nat(real.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.oneof(edits, fc.uint8Array({ maxLength: 300 })), (change) => {
      const bytes = Buffer.from(real);
      if (change instanceof Uint8Array) decode('spBv1.0/g/DDATA/n/d', Buffer.from(change));
      else for (const [at, value] of change) bytes[at] = value;
      const { readings } = decode('spBv1.0/g/DDATA/n/d', bytes);
      for (const { values } of readings)
        for (const value of Object.values(values))
          expect(['number', 'boolean', 'string']).toContain(typeof value);
    }),
    { numRuns: 3000 },
  );
});

it.each([
  ['groups nested 250 000 deep', Buffer.alloc(250_000, 0x0b)],
  ['130 000 empty metrics', Buffer.concat(Array.from({ length: 130_000 }, () => Buffer.from([0x12, 0])))],
  ['a length of 4 GiB', Buffer.from([0x12, 0xff, 0xff, 0xff, 0xff, 0x0f, 0])],
  ['an endless varint', Buffer.alloc(250_000, 0xff)],
  ['a text that is no UTF-8', Buffer.from([0x12, 0x04, 0x0a, 0x02, 0xc3, 0x28])],
  ['no payload', Buffer.from('{"temperature": 21.5}')],
  ['a zero', Buffer.from([0])],
])('refuses %s', async (_, bytes) => {
  const { decode } = await start();
  const { readings, faults } = decode('spBv1.0/g/NBIRTH/n', bytes);
  expect(readings).toEqual([]);
  expect(faults.length).toBeGreaterThan(0);
});
