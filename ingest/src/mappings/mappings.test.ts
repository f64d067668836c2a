import { createMetrics, loadConfig, silentLogger } from '@tidemark/core';
import { Encoder } from 'cbor-x';
import { expect, it, onTestFinished } from 'vitest';
import { Mappings } from './mappings.ts';

const mappingsOf = (documents: unknown[]) => {
  const { mappings, ingest, mapping } = loadConfig({ overrides: { mappings: documents } });
  return new Mappings({
    mappings,
    limits: { ...ingest, maxReadingsPerMessage: 5, maxFieldsPerReading: 6 },
    expressions: mapping,
    metrics: createMetrics(),
    logger: silentLogger,
  });
};

async function explain(mapping: object, topic: string, payload: string | Uint8Array) {
  const found = await mappingsOf([{ id: 'm', ...mapping }]).explain(topic, Buffer.from(payload));
  if (found === undefined) throw new Error('no mapping matches');
  return found;
}

async function readingsOf(mapping: object, topic: string, payload: string | Uint8Array) {
  const { readings, rejected } = await explain(mapping, topic, payload);
  expect(rejected).toEqual([]);
  return readings;
}

async function refusalOf(mapping: object, topic: string, payload: string | Uint8Array) {
  const { readings, rejected } = await explain(mapping, topic, payload);
  expect(readings).toEqual([]);
  expect(rejected).toHaveLength(1);
  expect(rejected[0]!.detail).toMatch(/^mapping m: /);
  return rejected[0]!.code;
}

const flat = { topic: 'a/{sensor}' };
const secondNs = 1_700_000_000_000_000_000n;

it('a message is a reading of its fields, those of nested ones with joined names', async () => {
  const payload =
    '{"t": 21.5, "door": true, "mode": "eco", "n": {"x": [1, {"y": 2}]}, "gone": null, "e": {}}';
  expect(await readingsOf(flat, 'a/s1', payload)).toEqual([
    {
      sensor: 's1',
      location: undefined,
      timeNs: undefined,
      values: { t: 21.5, door: true, mode: 'eco', n_x_0: 1, n_x_1_y: 2 },
    },
  ]);
});

it('sensor, location and time come from topic, payload or the mapping itself', async () => {
  const mapping = {
    topic: '{site}/up/{n}',
    sensor: 'node-{n}.{$.dev.id}',
    location: '{site}',
    time: { path: '$.at', unit: 'ms' },
  };
  const payload = '{"dev": {"id": 7, "model": "x"}, "at": 1700000000000, "t": 1}';
  expect(await readingsOf(mapping, 'roof/up/3', payload)).toEqual([
    { sensor: 'node-3.7', location: 'roof', timeNs: secondNs, values: { dev_model: 'x', t: 1 } },
  ]);
});

it.each([
  ['as on the topics of the platform', {}, '{"ts": 1700000000, "t": 1}', secondNs],
  ['none', {}, '{"t": 1}', undefined],
  ['that of acceptance', { time: 'acceptance' }, '{"ts": 1700000000, "t": 1}', undefined],
  ['at a path', { time: '$.when' }, '{"when": "2023-11-14T22:13:20Z", "t": 1}', secondNs],
  [
    'seconds with decimals',
    { time: { path: '$.when', unit: 's' } },
    '{"when": 1700000000.62, "t": 1}',
    secondNs + 620_000_000n,
  ],
  ['small milliseconds', { time: { path: '$.when', unit: 'ms' } }, '{"when": 1000, "t": 1}', 1_000_000_000n],
  [
    'local',
    { time: { path: '$.when', zone: 'Europe/Berlin' } },
    '{"when": "2023-11-14T23:13:20", "t": 1}',
    secondNs,
  ],
  [
    'local, beside a change of clocks',
    { time: { path: '$.when', zone: 'Europe/Berlin' } },
    '{"when": "2024-03-31T03:30:00", "t": 1}',
    1_711_848_600_000_000_000n,
  ],
  [
    'local with a zone of its own',
    { time: { path: '$.when', zone: 'Europe/Berlin' } },
    '{"when": "2023-11-14T22:13:20Z", "t": 1}',
    secondNs,
  ],
])('the time of a message: %s', async (_name, mapping, payload, timeNs) => {
  expect(await readingsOf({ ...flat, ...mapping }, 'a/s', payload)).toMatchObject([
    { timeNs, values: { t: 1 } },
  ]);
});

it('fields are chosen, renamed and converted', async () => {
  const mapping = {
    ...flat,
    include: ['t*', 'p', 'id', 'state'],
    exclude: ['tx'],
    rename: { tempf: 'temperature', id: 'serial' },
    units: { temperature: '°F → °C', p: { factor: 0.1, offset: 1 } },
    texts: { ON: 1 },
  };
  const payload = '{"tempf": 68, "tx": 1, "t2": "?", "p": 5, "other": 9, "id": 4, "state": "ON"}';
  expect(await readingsOf(mapping, 'a/s', payload)).toMatchObject([
    { values: { temperature: 20, t2: '?', p: 1.5, serial: 4, state: 1 } },
  ]);
});

it('metrics may be named one by one, by the topic too, beside the values of an object', async () => {
  const mapping = {
    topic: 'a/{sensor}/{kind}',
    metrics: { '{kind}': '$.v', battery: '$.sys.bat' },
    values: '$.more',
  };
  expect(await readingsOf(mapping, 'a/s/co2', '{"v": 400, "more": {"rssi": -70}}')).toMatchObject([
    { values: { co2: 400, rssi: -70 } },
  ]);
  expect(await refusalOf({ ...mapping, values: undefined }, 'a/s/co2', '{"x": 1}')).toBe('missing_value');
  expect(await refusalOf(mapping, 'a/s/co2', '{"v": 1}')).toBe('missing_value');
});

it('what does not meet a condition, and what is left out, is nothing, and no fault', async () => {
  const mapping = { ...flat, when: { '$.kind': ['up', 2] }, exclude: ['x*'] };
  expect(await readingsOf(mapping, 'a/s', '{"kind": "up", "t": 1}')).toHaveLength(1);
  expect(await readingsOf(mapping, 'a/s', '{"kind": "down", "t": 1}')).toEqual([]);
  expect(await readingsOf({ ...flat, exclude: ['x*'] }, 'a/s', '{"x1": 1, "y": null}')).toEqual([]);
});

it.each([
  ['text', { v: '21.5' }],
  ['parse', { v: 21.5 }],
] as const)('numbers as strings: %s', async (numbersAsStrings, values) => {
  expect(await readingsOf({ ...flat, numbersAsStrings }, 'a/s', '{"v": "21.5"}')).toMatchObject([{ values }]);
  expect(await readingsOf({ ...flat, numbersAsStrings }, 'a/s', '{"v": "21,5"}')).toMatchObject([
    { values: { v: '21,5' } },
  ]);
});

it.each([
  ['wrong_type', '{"v": "21.5"}', { numbersAsStrings: 'refuse' }],
  ['not_finite', '{"v": "NaN"}', { numbersAsStrings: 'parse' }],
  ['not_finite', '{"v": 1e400}', {}],
  ['malformed_json', '{"v": ', {}],
  ['invalid_utf8', Buffer.from([0x22, 0xff, 0x22]), {}],
  ['empty', '', {}],
  ['empty', '{}', {}],
  ['empty', '[]', {}],
  ['wrong_type', '5', {}],
  ['bad_sensor', '{"v": 1}', { sensor: '{$.id}' }],
  ['bad_sensor', '{"v": 1, "id": "a/b"}', { sensor: '{$.id}' }],
  ['bad_location', '{"v": 1, "at": "a/b"}', { location: '$.at' }],
  ['bad_time', '{"v": 1, "time": "noon"}', {}],
  ['bad_time', '{"v": 1, "at": true}', { time: '$.at' }],
  ['bad_metric', '{"v/w": 1}', {}],
  ['too_many_fields', '[{"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1}]', {}],
  ['too_many_readings', '[{"a": 1}, {"a": 1}, {"a": 1}, {"a": 1}, {"a": 1}, {"a": 1}]', {}],
])('%s: %s', async (reason, payload, mapping) => {
  expect(await refusalOf({ ...flat, ...mapping }, 'a/s', payload)).toBe(reason);
});

it('a message that does not hold all of its sensor is told what it lacks', async () => {
  const mapping = { ...flat, sensor: 'roof.{$.dev[0].name}' };
  const { rejected } = await explain(mapping, 'a/s', '{"v": 1, "dev": []}');
  expect(rejected).toMatchObject([{ code: 'bad_sensor' }]);
  expect(rejected[0]!.detail).toContain('roof.{$.dev[0].name}');
});

it('two fields are not one metric', async () => {
  const { readings, rejected } = await explain({ ...flat, rename: { v: 'w' } }, 'a/s', '{"v": 1, "w": 2}');
  expect(readings).toMatchObject([{ values: { w: 1 } }]);
  expect(rejected).toMatchObject([{ code: 'bad_metric' }]);
});

it('keys that mean something to JavaScript are names like others', async () => {
  const payload = '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"x": 2}}, "toString": 3}';
  const [reading] = await readingsOf(flat, 'a/s', payload);
  expect(Object.entries(reading!.values)).toEqual([
    ['__proto___polluted', 1],
    ['constructor_prototype_x', 2],
    ['toString', 3],
  ]);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  const path = { ...flat, metrics: { a: '$.constructor.name', b: '$.v' } };
  expect(await readingsOf(path, 'a/s', '{"v": 1}')).toMatchObject([{ values: { b: 1 } }]);
});

it('nesting is followed 32 levels deep and told beyond', async () => {
  const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  expect(await readingsOf(flat, 'a/s', nested(30))).toHaveLength(1);
  expect(await refusalOf(flat, 'a/s', nested(60))).toBe('wrong_type');
  expect(await refusalOf(flat, 'a/s', nested(100_000))).toMatch(/wrong_type|malformed_json/);
});

it('an array is a reading for each element, and one bad element costs no other', async () => {
  const { readings, rejected } = await explain(flat, 'a/s', '[{"t": 1}, 2, {"t": 3}, {"t": {}}]');
  expect(readings).toMatchObject([{ values: { t: 1 } }, { values: { t: 3 } }]);
  expect(rejected).toMatchObject([{ index: 1, code: 'wrong_type' }]);
});

const csv = { ...flat, format: 'csv' };

it('CSV is a reading for each row, by the names of the first or by those of the mapping', async () => {
  const withHeader =
    'when,temp,door,note\r\n2023-11-14 22:13:20,21.5,true,"a, b"\r\n2023-11-14 22:13:21,,false,\r\n';
  expect(await readingsOf({ ...csv, time: '$.when' }, 'a/s', withHeader)).toMatchObject([
    { timeNs: secondNs, values: { temp: 21.5, door: true, note: 'a, b' } },
    { timeNs: secondNs + 1_000_000_000n, values: { door: false } },
  ]);
  const named = {
    topic: 'in',
    format: 'csv',
    sensor: '{$.dev}',
    csv: { columns: ['dev', 'time', 't'], delimiter: ';' },
  };
  expect(await readingsOf(named, 'in', 'a;1700000000;1\nb;1700000001;2')).toMatchObject([
    { sensor: 'a', timeNs: secondNs, values: { t: 1 } },
    { sensor: 'b', values: { t: 2 } },
  ]);
});

it.each([
  ['malformed_csv', 'a,b\n1,"2\n'],
  ['malformed_csv', 'a,a\n1,2\n'],
  ['malformed_csv', 'a,b\n1,2,3\n'],
  ['empty', 'a,b\n'],
  ['empty', ''],
  ['not_finite', 'a\nNaN\n'],
  ['too_many_readings', `a\n${'1\n'.repeat(6)}`],
  ['too_many_fields', `${Array.from({ length: 1_000_000 }, (_, n) => n).join()}\n1\n`],
  ['invalid_utf8', Buffer.from([0x61, 0x0a, 0xff])],
])('%s as CSV', async (reason, payload) => {
  expect(await refusalOf(csv, 'a/s', payload)).toBe(reason);
});

const cameras = {
  topic: 'cameras/#',
  as: 'travellers',
  sensor: '{$.camera}',
  metrics: { traveller: '$.id', type: '$.class', x: '$.pos[0]', y: '$.pos[1]' },
  units: { x: 'cm → m' },
};
const seen = { camera: 'gate', id: 17, class: 'car', pos: [320, 4], time: 1_700_000_000 };
const position = { sensor: 'gate', traveller: '17', type: 'car', x: 3.2, y: 4, timeNs: secondNs };

async function read(mapping: object, payload: unknown) {
  const mappings = mappingsOf([{ id: 'm', ...mapping }]);
  onTestFinished(() => mappings.stop());
  const claim = mappings.claims.of('cameras/all');
  if (claim.kind !== 'mapped') throw new Error('no mapping matches');
  return mappings.read(claim, 'cameras/all', Buffer.from(JSON.stringify(payload)));
}

it('positions of travellers in words of their own, and one that is none costs no other', async () => {
  const { readings, positions, faults } = await read(cameras, [
    seen,
    { ...seen, id: undefined },
    { ...seen, pos: ['a', 4] },
  ]);
  expect(readings).toEqual([]);
  expect(positions).toMatchObject([position]);
  expect(faults).toMatchObject([
    { index: 1, reason: 'bad_traveller', detail: 'mapping m: traveller is missing', sensor: 'gate' },
    { index: 2, reason: 'wrong_type', sensor: 'gate' },
  ]);
});

it('positions that an expression answers', async () => {
  const expression =
    '$.{"sensor": camera, "traveller": id, "type": class, "x": pos[0] / 100, "y": pos[1], "time": time}';
  const mapping = { topic: 'cameras/#', as: 'travellers', expression };
  expect(await read(mapping, [seen])).toMatchObject({ positions: [position], faults: [] });
  // What is refused is the message: none is taken that could not be known again when it is replayed.
  const { time: _, ...timeless } = seen;
  const { positions, faults } = await read(mapping, [timeless, { ...seen, class: '' }]);
  expect(positions).toEqual([]);
  expect(faults).toMatchObject([{ reason: 'bad_traveller', raw: undefined }]);
});

it('a plain value is one metric', async () => {
  const value = {
    topic: 'h/{sensor}/{metric}',
    format: 'value',
    units: { t: 'F -> C' },
    texts: { on: true },
  };
  for (const [payload, expected] of [
    ['68', 20],
    [' 41\n', 5],
    ['on', true],
    ['"idle"', 'idle'],
    ['open', 'open'],
    ['false', false],
  ] as const)
    expect(await readingsOf(value, 'h/s/t', payload)).toMatchObject([
      { sensor: 's', values: { t: expected } },
    ]);
  expect(await refusalOf(value, 'h/s/t', '')).toBe('empty');
  expect(await refusalOf(value, 'h/s/t', 'nan')).toBe('not_finite');
  expect(await refusalOf(value, 'h/s/t', Buffer.from([0x6f, 0xff]))).toBe('invalid_utf8');
  expect(await refusalOf(value, 'h/s/time', '1')).toBe('bad_metric');
});

it('line protocol may come on any topic', async () => {
  const lines = { topic: 'in/#', format: 'lines', precision: 's' };
  expect(await explain(lines, 'in/x', 'm f=1 1700000000\nm f=2')).toMatchObject({ lines: 2, rejected: [] });
  expect(await refusalOf(lines, 'in/x', 'nonsense')).toBe('bad_line');
  expect(await refusalOf(lines, 'in/x', '')).toBe('empty');
});

const cbor = { ...flat, format: 'cbor' };
const encode = (value: unknown) => new Encoder({ useRecords: false, mapsAsObjects: true }).encode(value);

it('CBOR is read as JSON is', async () => {
  const at = new Date(1_700_000_000_000);
  expect(
    await readingsOf({ ...cbor, time: '$.at' }, 'a/s', encode({ at, t: 21.5, n: { x: [1, 2] } })),
  ).toMatchObject([{ timeNs: secondNs, values: { t: 21.5, n_x_0: 1, n_x_1: 2 } }]);
  expect(await readingsOf(cbor, 'a/s', encode([{ t: 1 }, { t: 2 }]))).toHaveLength(2);
  // RFC 8949 appendix A: indefinite lengths, and 2^64 - 1.
  expect(await readingsOf(cbor, 'a/s', Buffer.from('bf6161016162bf6163f5ffff', 'hex'))).toMatchObject([
    { values: { a: 1, b_c: true } },
  ]);
  expect(await readingsOf(cbor, 'a/s', Buffer.from('a161611bffffffffffffffff', 'hex'))).toMatchObject([
    { values: { a: 2 ** 64 } },
  ]);
});

it.each([
  ['an array of 2^32 items', '9affffffff'],
  ['an array of 2^64 items', '9bffffffffffffffff'],
  ['a map of 2^32 pairs', 'baffffffff'],
  ['a text of 2^40 bytes', '7b0000010000000000'],
  ['a text longer than what is there', '6568656c6c'],
  ['half an item', 'a26161'],
  ['two items', '0101'],
  ['a lonely break', 'ff'],
  ['a tag that makes objects', 'd81b826545726f726f01'],
  ['shared values', 'd81c81d81d00'],
  ['reserved heads', '1c'],
  ['nesting, 100 000 deep', '81'.repeat(100_000)],
  ['nesting, 100 000 deep, without end', '9f'.repeat(100_000)],
  ['tags, 100 000 deep', 'c1'.repeat(100_000)],
])('CBOR with %s is refused', async (_name, hex) => {
  expect(await refusalOf(cbor, 'a/s', Buffer.from(hex, 'hex'))).toBe('malformed_cbor');
});

it('says which mapping reads a topic', async () => {
  const mappings = mappingsOf([{ id: 'm', topic: '{site}/{sensor}' }]);
  expect(await mappings.explain('x', Buffer.from('1'))).toBeUndefined();
  expect(await mappings.explain('sensors/x', Buffer.from('1'))).toBeUndefined();
  expect(await mappings.explain('roof/x', Buffer.from('{"t": 1}'))).toMatchObject({
    mapping: 'm',
    topic: '{site}/{sensor}',
    placeholders: { site: 'roof', sensor: 'x' },
  });
});

it('what comes of messages is counted by mapping, and a mere question is not', async () => {
  const {
    mappings: settings,
    ingest,
    mapping,
  } = loadConfig({
    overrides: { mappings: [{ id: 'm', topic: 'a/{sensor}', when: { '$.up': true } }] },
  });
  const metrics = createMetrics();
  const mappings = new Mappings({
    mappings: settings,
    limits: ingest,
    expressions: mapping,
    metrics,
    logger: silentLogger,
  });
  const claim = mappings.claims.of('a/s');
  if (claim.kind !== 'mapped') throw new Error('no mapping matches');
  for (const payload of ['{"up": true, "t": 1}', '{"up": false}', '{"up": false}', 'nonsense'])
    mappings.decode(claim, 'a/s', Buffer.from(payload));
  await mappings.explain('a/s', Buffer.from('nonsense'));
  const counted = await metrics.getSingleMetric('tidemark_ingest_mapped_messages_total')!.get();
  expect(counted.values.map(({ labels, value }) => [labels.mapping, labels.outcome, value])).toEqual([
    ['m', 'taken', 1],
    ['m', 'left_out', 2],
    ['m', 'refused', 1],
  ]);
});
