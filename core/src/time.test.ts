import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson, stringifyJson } from './json.ts';
import { formatDuration, formatTime, parseDuration, parseTime, parseTimeParameter } from './time.ts';

describe('parseTime', () => {
  it.each<[unknown, bigint]>([
    ['2026-01-02T03:04:05Z', 1767323045_000000000n],
    ['2026-01-02T03:04:05.123456789Z', 1767323045_123456789n],
    ['2026-01-02T03:04:05.5+01:30', 1767317645_500000000n],
    ['2026-01-02T03:04:05-0200', 1767330245_000000000n],
    ['2013-12-02 21:15:00', 1386018900_000000000n],
    ['1969-12-31T23:59:59.9Z', -100000000n],
    [0, 0n],
    [4_999_999_999, 4_999_999_999_000_000_000n],
    [5_000_000_000, 5_000_000_000_000_000n],
    [4_999_999_999_999, 4_999_999_999_999_000_000n],
    [5_000_000_000_000, 5_000_000_000_000_000n],
    [4_999_999_999_999_999n, 4_999_999_999_999_999_000n],
    [5_000_000_000_000_000n, 5_000_000_000_000_000n],
    [1_700_000_000_123_456_789n, 1_700_000_000_123_456_789n],
    ['1700000000', 1_700_000_000_000_000_000n],
    [1_700_000_000.25, 1_700_000_000_250_000_000n],
    [1_680_962_879.62, 1_680_962_879_620_000_000n],
    [-1.1, -1_100_000_000n],
    ['1680962879.62', 1_680_962_879_620_000_000n],
    [1_680_962_879_620.001, 1_680_962_879_620_001_000n],
    [1.5e-7, 150n],
  ])('%s', (value, expected) => {
    expect(parseTime(value)).toBe(expected);
  });

  it.each([
    null,
    undefined,
    true,
    '',
    'yesterday',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-02-28T24:00:00Z',
    '2026-02-28T23:60:00Z',
    '2026-02-28T23:59:60Z',
    '2026-02-29T00:00:00Z',
    '2026-01-01',
    '25:00',
    Number.NaN,
    {},
    [],
  ])('refuses %j', (value) => {
    expect(parseTime(value)).toBeUndefined();
  });

  it('reads back what formatTime wrote', () => {
    // Years 0 to 9999, which RFC 3339 can write.
    fc.assert(
      fc.property(
        fc.bigInt(-62_167_219_200_000_000_000n, 253_402_300_799_999_999_999n),
        (timeNs) => parseTime(formatTime(timeNs)) === timeNs,
      ),
    );
  });
});

it.each([
  [0n, '1970-01-01T00:00:00Z'],
  [1n, '1970-01-01T00:00:00.000000001Z'],
  [-1n, '1969-12-31T23:59:59.999999999Z'],
  [1_500_000_000n, '1970-01-01T00:00:01.5Z'],
])('formatTime(%s) has as many decimals as it needs', (timeNs, text) => {
  expect(formatTime(timeNs)).toBe(text);
});

it.each([
  ['90s', 90_000_000_000n],
  ['1h30m', 5_400_000_000_000n],
  ['250ms', 250_000_000n],
  ['1w', 604_800_000_000_000n],
  ['0s', undefined],
  ['', undefined],
  ['5', undefined],
  ['-1h', undefined],
  ['1.5h', undefined],
])('parseDuration(%s)', (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});

it.each([
  ['now', 1_000_000_000_000n],
  ['now-1m', 940_000_000_000n],
  ['now+1s', 1_001_000_000_000n],
  ['2', 2_000_000_000n],
])('parseTimeParameter(%s)', (text, expected) => {
  expect(parseTimeParameter('from', text, 1_000_000_000_000n)).toBe(expected);
});

it('a parameter that is no time is a bad request that names it', () => {
  expect(() => parseTimeParameter('from', 'now-', 0n)).toThrow(
    expect.objectContaining({ code: 'bad_request', issues: [{ path: 'from', message: 'not a time' }] }),
  );
});

describe('JSON', () => {
  it('keeps integers of nanoseconds exact, in both directions', () => {
    const text =
      '{"time":1700000000123456789,"values":[-9007199254740993,9007199254740991,1.5,1e300],"text":"1700000000123456789"}';
    const value = parseJson(text);
    expect(value).toMatchObject({
      time: 1_700_000_000_123_456_789n,
      values: [-9_007_199_254_740_993n, 9_007_199_254_740_991, 1.5, 1e300],
    });
    expect(stringifyJson(value)).toBe(text.replace('1e300', '1e+300'));
  });

  it('leaves numbers beyond a double infinite, for the caller to refuse', () => {
    expect(parseJson('{"a": 1e400, "b": 12345678901234567890.5}')).toEqual({
      a: Number.POSITIVE_INFINITY,
      b: Number('12345678901234567890.5'),
    });
  });
});

describe('formatDuration', () => {
  it.each<[bigint, string]>([
    [90_000_000_000n, '90s'],
    [120_000_000_000n, '2m'],
    [172_800_000_000_000n, '2d'],
    [1_500_000_000n, '1500ms'],
    [1n, '1ns'],
  ])('%s ns is %s, and reads back', (durationNs, text) => {
    expect(formatDuration(durationNs)).toBe(text);
    expect(parseDuration(text)).toBe(durationNs);
  });
});
