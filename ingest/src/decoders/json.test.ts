import { quarantineReasons, stringifyJson } from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeItems, decodeMetricMessage, decodeSensorMessage } from './json.ts';

const limits = { maxReadingsPerMessage: 3, maxFieldsPerReading: 4 };
const sensorMessage = (payload: string | Buffer) => decodeSensorMessage('s', Buffer.from(payload), limits);
const metricMessage = (payload: string | Buffer, metric = 'm') =>
  decodeMetricMessage('s', metric, Buffer.from(payload), limits);

const second = 1_000_000_000n;

describe('sensors/<sensor>/<metric>', () => {
  it.each([
    ['21.5', 21.5, undefined],
    ['-0', -0, undefined],
    ['1e-320', 1e-320, undefined],
    ['9007199254740993', 9007199254740992, undefined],
    ['true', true, undefined],
    ['"on"', 'on', undefined],
    ['""', '', undefined],
    [' 7\n', 7, undefined],
    ['{"value": 3}', 3, undefined],
    ['{"value": 3, "time": 12}', 3, 12n * second],
    ['{"ts": "1970-01-01T00:00:12.000000001Z", "value": 3}', 3, 12n * second + 1n],
    ['{"value": 3, "time": 1700000000000000001}', 3, 1700000000000000001n],
  ])('%s', (payload, value, timeNs) => {
    const { readings, faults } = metricMessage(payload);
    expect(faults).toEqual([]);
    expect(readings).toEqual([
      { index: 0, sensor: 's', location: undefined, timeNs, values: [['m', value]], raw: undefined },
    ]);
  });

  it.each(['__proto__', 'constructor', 'toString', 'Temperatur_außen', '温度', 'value'])(
    'metric %s is a name like any other',
    (metric) => {
      expect(metricMessage('1', metric).readings[0]!.values).toEqual([[metric, 1]]);
      expect(metricMessage('{"value": 1}', metric).readings[0]!.values).toEqual([[metric, 1]]);
      expect(sensorMessage(`{${JSON.stringify(metric)}: 1}`).readings[0]!.values).toEqual([[metric, 1]]);
    },
  );

  it.each([
    ['', 'empty'],
    ['{}', 'empty'],
    ['[]', 'empty'],
    ['[1]', 'wrong_type'],
    ['{"value": [1]}', 'wrong_type'],
    ['null', 'missing_value'],
    ['{"time": 1}', 'missing_value'],
    ['{"value": null}', 'missing_value'],
    ['1e400', 'not_finite'],
    ['-Infinity', 'not_finite'],
    ['NaN', 'not_finite'],
    [`1${'0'.repeat(400)}`, 'not_finite'],
    ['21,5', 'malformed_json'],
    ['{"value": 1', 'malformed_json'],
    ['{"value": 1, "time": "soon"}', 'bad_time'],
    ['{"value": 1, "time": null}', 'bad_time'],
    ['{"value": 1, "time": [1700000000000000001]}', 'bad_time'],
  ])('%s is refused as %s', (payload, reason) => {
    const { readings, faults } = metricMessage(payload);
    expect(readings).toEqual([]);
    expect(faults).toMatchObject([{ index: 0, reason, sensor: 's', detail: expect.stringMatching(/./) }]);
  });

  it.each(['', 'a/b', 'a+b', 'x'.repeat(129), 'time', 'sensor', 'id', 'a\u0000b'])(
    'metric name %j is refused',
    (metric) => {
      expect(metricMessage('1', metric)).toMatchObject({ readings: [], faults: [{ reason: 'bad_metric' }] });
    },
  );

  it('bytes that are no UTF-8 are refused', () => {
    expect(metricMessage(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toMatchObject({
      readings: [],
      faults: [{ reason: 'invalid_utf8' }],
    });
  });
});

describe('sensors/<sensor>', () => {
  it('reads every form of a reading', () => {
    expect(
      sensorMessage(
        '{"a": 1, "b": "x", "c": false, "location": "hall", "time": 5, "id": "any", "sensor": "s"}',
      ),
    ).toEqual({
      readings: [
        {
          index: 0,
          sensor: 's',
          location: 'hall',
          timeNs: 5n * second,
          values: [
            ['a', 1],
            ['b', 'x'],
            ['c', false],
          ],
          raw: undefined,
        },
      ],
      lines: [],
      faults: [],
    });
    const { readings } = sensorMessage('[{"a": 1, "time": 1}, {"a": 2, "location": null}]');
    expect(readings.map(({ index, timeNs, location }) => [index, timeNs, location])).toEqual([
      [0, second, undefined],
      [1, undefined, undefined],
    ]);
  });

  it.each([
    ['{"a": 1, "sensor": "other"}', 'bad_sensor'],
    ['{"a": 1, "sensor": {"x": 12345678901234567890}}', 'bad_sensor'],
    ['{"a": 1, "location": 7}', 'bad_location'],
    ['{"a": 1, "location": ""}', 'bad_location'],
    ['{"a": 1, "time": 1, "ts": 2}', 'bad_time'],
    ['{"a": 1, "time": 1, "timestamp": "later"}', 'bad_time'],
    ['{"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}', 'too_many_fields'],
    ['{"a": null, "b": null, "c": null, "d": null, "e": null}', 'too_many_fields'],
    ['[{"a":1},{"a":1},{"a":1},{"a":1}]', 'too_many_readings'],
    ['[12345678901234567890]', 'wrong_type'],
    ['[[12345678901234567890]]', 'wrong_type'],
    ['"text"', 'wrong_type'],
    ['1e400', 'not_finite'],
    ['{"a": {"b": 1}}', 'wrong_type'],
    ['{"time": 1, "location": "x"}', 'missing_value'],
  ])('%s is refused as %s', (payload, reason) => {
    expect(sensorMessage(payload)).toMatchObject({ readings: [], faults: [{ reason }] });
  });

  it('the same time told twice is one time', () => {
    expect(sensorMessage('{"a": 1, "time": 5, "ts": "1970-01-01T00:00:05Z"}').readings[0]!.timeNs).toBe(
      5n * second,
    );
  });

  it('a bad value costs the reading nothing else, and bad values of one kind are one refusal', () => {
    const { readings, faults } = sensorMessage('{"a": 1, "b": null, "c": null, "d": [1]}');
    expect(readings[0]!.values).toEqual([['a', 1]]);
    expect(faults).toEqual([
      {
        index: 0,
        reason: 'missing_value',
        detail: 'b has no value; c has no value',
        sensor: 's',
        raw: undefined,
      },
      {
        index: 0,
        reason: 'wrong_type',
        detail: expect.stringContaining('d is an array'),
        sensor: 's',
        raw: undefined,
      },
    ]);
  });

  it('the text of a metric never meets a number under the name it is kept as', () => {
    const { readings, faults } = sensorMessage('{"a": "on", "a_text": 5}');
    expect(readings[0]!.values).toEqual([['a_text', 5]]);
    expect(faults).toMatchObject([{ reason: 'bad_metric' }]);
    expect(sensorMessage('{"a": "on", "a_text": "off"}').faults).toEqual([]);
  });

  it('nesting deeper than the stack is refused, not thrown', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    for (const payload of [
      deep,
      `{"sensor": ${deep}, "a": 1}`,
      `[{"a": ${deep}}]`,
      `[${deep}, 12345678901234567]`,
    ]) {
      const { readings, faults } = sensorMessage(payload);
      expect(readings).toEqual([]);
      expect(faults.length).toBeGreaterThan(0);
    }
  });
});

describe('items that were parsed already', () => {
  it('name their sensor', () => {
    const { readings, faults } = decodeItems(
      [{ sensor: 'x', a: 1 }, { a: 1 }, 7, { sensor: 'a/b', a: 1 }],
      limits,
    );
    expect(readings).toMatchObject([{ index: 0, sensor: 'x', raw: { sensor: 'x', a: 1 } }]);
    expect(faults.map(({ index, reason }) => [index, reason])).toEqual([
      [1, 'bad_sensor'],
      [2, 'wrong_type'],
      [3, 'bad_sensor'],
    ]);
  });
});

const anyJson = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc.jsonValue().map((value) => JSON.stringify([value])),
  fc
    .dictionary(
      fc.constantFrom(
        'a',
        'value',
        'time',
        'ts',
        'location',
        'sensor',
        'id',
        '__proto__',
        '',
        'a/b',
        'x_text',
        'x',
      ),
      fc.oneof(
        fc.double(),
        fc.bigInt(),
        fc.string({ unit: 'binary' }),
        fc.constant(null),
        fc.boolean(),
        fc.constant([1]),
      ),
    )
    .map((value) => stringifyJson(value)),
);

it.each([
  ['sensors/<sensor>', sensorMessage],
  ['sensors/<sensor>/<metric>', metricMessage],
] as const)('any payload on %s is accepted, or refused with a reason', (_topic, decode) => {
  fc.assert(
    fc.property(fc.oneof(anyJson, fc.string({ unit: 'binary' })), (payload) => {
      const { readings, faults } = decode(payload);
      expect(readings.length + faults.length).toBeGreaterThan(0);
      for (const { reason, detail } of faults) {
        expect(quarantineReasons).toContain(reason);
        expect(detail).not.toBe('');
      }
      for (const { values } of readings) {
        expect(values.length).toBeGreaterThan(0);
        expect(new Set(values.map(([name]) => name)).size).toBe(values.length);
      }
    }),
    { numRuns: 2000 },
  );
});
