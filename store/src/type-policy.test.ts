import { type FieldType, type FieldValue, Uint64 } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { convert, fitTypes, type TypePolicy } from './type-policy.ts';

const u = (value: bigint) => new Uint64(value);

/** Value, type, and what it becomes; undefined: something would be lost. */
const cases: [FieldValue, FieldType, FieldValue | undefined][] = [
  [5n, 'float', 5],
  [-(2n ** 63n), 'float', -(2 ** 63)],
  [2n ** 53n + 1n, 'float', undefined],
  [u(2n ** 53n), 'float', 2 ** 53],
  [u(2n ** 64n - 1n), 'float', undefined],
  [true, 'float', 1],
  [false, 'float', 0],
  ['12.5', 'float', 12.5],
  ['-1e3', 'float', -1000],
  ['.5', 'float', 0.5],
  ['-0', 'float', -0],
  ['0.0', 'float', 0],
  ['9007199254740993', 'float', undefined],
  ['1e400', 'float', undefined],
  ['1e-400', 'float', undefined],
  ['NaN', 'float', undefined],
  ['Infinity', 'float', undefined],
  ['0x10', 'float', undefined],
  ['', 'float', undefined],
  [' 1', 'float', undefined],
  ['1,5', 'float', undefined],
  ['12 °C', 'float', undefined],
  ['true', 'float', undefined],
  [5, 'integer', 5n],
  [5.5, 'integer', undefined],
  [-0, 'integer', undefined],
  [2 ** 63, 'integer', undefined],
  [-(2 ** 63), 'integer', -(2n ** 63n)],
  [u(2n ** 63n - 1n), 'integer', 2n ** 63n - 1n],
  [u(2n ** 63n), 'integer', undefined],
  [true, 'integer', 1n],
  ['9223372036854775807', 'integer', 2n ** 63n - 1n],
  ['9223372036854775808', 'integer', undefined],
  ['+7', 'integer', 7n],
  ['5.0', 'integer', 5n],
  ['5.5', 'integer', undefined],
  ['five', 'integer', undefined],
  [7, 'unsigned', u(7n)],
  [-1n, 'unsigned', undefined],
  ['18446744073709551615', 'unsigned', u(2n ** 64n - 1n)],
  ['18446744073709551616', 'unsigned', undefined],
  [1, 'boolean', true],
  [0n, 'boolean', false],
  [u(1n), 'boolean', true],
  [2, 'boolean', undefined],
  ['true', 'boolean', true],
  ['false', 'boolean', false],
  ['1', 'boolean', undefined],
  ['TRUE', 'boolean', undefined],
  [12.5, 'string', '12.5'],
  [-0, 'string', '-0'],
  [9_007_199_254_740_993n, 'string', '9007199254740993'],
  [u(5n), 'string', '5'],
  [true, 'string', 'true'],
];

describe('a value in another type', () => {
  test.each(cases)('%o as %s', (value, type, expected) => {
    const found = convert(value, type);
    expect(found).toEqual(expected);
    expect(Object.is(found, -0)).toBe(Object.is(expected, -0));
  });
});

describe('a point under a policy', () => {
  const pins = new Map<string, FieldType>([
    ['f', 'float'],
    ['s', 'string'],
  ]);
  const fit = (fields: [string, FieldValue][], policy: TypePolicy) =>
    fitTypes({ measurement: 'm', tags: [], fields, timeNs: 0n }, pins, policy);

  test('that fits, or pins something new, is itself', () => {
    const point = {
      measurement: 'm',
      tags: [],
      fields: [['f', 1] as const, ['new', true] as const],
      timeNs: 0n,
    };
    for (const policy of ['quarantine', 'pin', 'coerce'] as const) {
      expect(fitTypes(point, pins, policy)).toBe(point);
      expect(fitTypes(point, undefined, policy)).toBe(point);
    }
  });

  test('is converted, beside its other fields, as far as the policy lets it', () => {
    const whole: [string, FieldValue][] = [
      ['x', 'kept'],
      ['f', 5n],
    ];
    expect(fit(whole, 'quarantine')).toMatch(/"f" of "m" is float, and this integer/);
    for (const policy of ['pin', 'coerce'] as const) {
      expect(fit(whole, policy)).toMatchObject({
        fields: [
          ['x', 'kept'],
          ['f', 5],
        ],
      });
    }
    expect(fit([['f', true]], 'pin')).toMatch(/boolean/);
    expect(fit([['f', '1']], 'pin')).toMatch(/string/);
    expect(fit([['s', 1]], 'pin')).toMatch(/float/);
    expect(fit([['f', true]], 'coerce')).toMatchObject({ fields: [['f', 1]] });
    expect(fit([['s', 1]], 'coerce')).toMatchObject({ fields: [['s', '1']] });
  });

  test('of readings has floats, which fit where another writer pinned another type of number', () => {
    const pinned = new Map<string, FieldType>([
      ['i', 'integer'],
      ['u', 'unsigned'],
      ['b', 'boolean'],
      ['s', 'string'],
    ]);
    const fitReading = (field: string, value: FieldValue, measurement = 'readings') =>
      fitTypes({ measurement, tags: [], fields: [[field, value]], timeNs: 0n }, pinned, 'quarantine');
    expect(fitReading('i', 5)).toMatchObject({ fields: [['i', 5n]] });
    expect(fitReading('u', 5)).toMatchObject({ fields: [['u', u(5n)]] });
    expect(fitReading('b', 1)).toMatchObject({ fields: [['b', true]] });
    expect(fitReading('i', 5.5)).toMatch(/"i" of "readings" is integer, and this float/);
    expect(fitReading('s', 5)).toMatch(/float/);
    expect(fitReading('i', 5, 'm')).toMatch(/float/);
  });

  test('that would lose something is refused as a whole', () => {
    const fields: [string, FieldValue][] = [
      ['f', 5n],
      ['f', 'warm'],
    ];
    expect(fit(fields, 'coerce')).toMatch(/string/);
    expect(fields[0]).toEqual(['f', 5n]);
  });
});
