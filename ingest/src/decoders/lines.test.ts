import { quarantineReasons } from '@tidemark/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeLines } from './lines.ts';

const limits = { maxLines: 3, maxFields: 2 };
const decode = (payload: string | Buffer) => decodeLines(Buffer.from(payload), limits);

it('reads points, with and without a time, around lines that are none', () => {
  const { lines, faults } = decode('m,t=a f=1 5\nnonsense\nm f=2i\n');
  expect(lines.map(({ index, point }) => [index, point])).toEqual([
    [0, { measurement: 'm', tags: [['t', 'a']], fields: [['f', 1]], timeNs: 5n }],
    [2, { measurement: 'm', tags: [], fields: [['f', 2n]], timeNs: undefined }],
  ]);
  expect(faults).toEqual([
    {
      index: 1,
      reason: 'bad_line',
      detail: "line 2: unable to parse 'nonsense': missing fields",
      raw: Buffer.from('nonsense'),
    },
  ]);
});

it.each([
  ['m f=\n', 'bad_line'],
  ['m f=1 99999999999999999999', 'bad_line'],
  ['m f=1e400', 'bad_line'],
  ['m a=1,b=2,c=3 7', 'too_many_fields'],
  ['m f=1 1\nm f=1 2\nm f=1 3\nm f=1 4', 'too_many_readings'],
  [Buffer.from([0x6d, 0xff]), 'invalid_utf8'],
])('%j is refused as %s', (payload, reason) => {
  expect(decode(payload)).toMatchObject({ lines: [], faults: [{ reason }] });
});

it.each(['m,t=x a=1,b="q",c=3i 7', 'm,t=x a=1,b="q",c=3i'])(
  'a refused line is kept as that line, not as the whole message: %s',
  (line) => {
    const { faults } = decode(`m f=1\n${line}\n`);
    expect(faults).toMatchObject([{ index: 1, reason: 'too_many_fields', raw: Buffer.from(line) }]);
  },
);

it('any text is accepted, or refused with a reason', () => {
  const alphabet = fc.constantFrom(
    'm',
    ',',
    '=',
    ' ',
    '\n',
    '"',
    '\\',
    '1',
    'i',
    'u',
    'é',
    '#',
    '\r',
    '.',
    '-',
  );
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: alphabet }), fc.string({ unit: 'binary' })), (payload) => {
      const { lines, faults } = decode(payload);
      const written = payload.split('\n').filter((line) => !/^ *(#[\s\S]*|\r?)$/.test(line));
      expect(lines.length + faults.length > 0).toBe(written.length > 0);
      for (const { reason } of faults) expect(quarantineReasons).toContain(reason);
    }),
    { numRuns: 2000 },
  );
});

it.each([
  'alerts',
  'heartbeats',
  'location_state',
  'quality',
  'quarantine',
  'rule_thresholds',
  'sensor_metrics',
  'sensor_state',
])("%s is the platform's own: its line is refused, the one beside it is not", (name) => {
  const { lines, faults } = decodeLines(Buffer.from(`${name},sensor=a count="x"\nweather t=1`), limits);
  expect(lines.map(({ point }) => point.measurement)).toEqual(['weather']);
  expect(faults).toMatchObject([{ index: 0, reason: 'reserved_measurement' }]);
});
