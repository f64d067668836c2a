import { describe, expect, it } from 'vitest';
import { formatAge, formatBytes, formatRate, formatValue, previewPayload } from './format.ts';

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1440, '1.4 kB'],
  [999_600, '1 MB'],
  [53_000_000_000, '53 GB'],
])('%i bytes are "%s"', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

describe('formatAge', () => {
  it.each([
    [0, 'now'],
    [-1000, 'now'],
    [12_400, '12 s ago'],
    [-12_400, 'in 12 s'],
    [59_999, '59 s ago'],
    [60_000, '1 min ago'],
    [3_600_000, '1 h ago'],
    [47 * 3_600_000, '47 h ago'],
    [3 * 86_400_000, '3 d ago'],
    [12 * 366 * 86_400_000, '12 y ago'],
  ])('%i ms is "%s"', (ageMs, text) => {
    expect(formatAge(1_700_000_000_000 - ageMs, 1_700_000_000_000)).toBe(text);
  });
});

describe('formatValue', () => {
  it.each([
    [0, '0'],
    [21.5, '21.5'],
    [22.2857142, '22.29'],
    [-7.65432, '-7.654'],
    [0.0123456, '0.01235'],
    [1013.25, '1,013.3'],
    [123456, '123,456'],
    [6.02e23, '6.02e+23'],
    [0.0000012, '1.20e-6'],
    [true, 'true'],
    ['open', 'open'],
  ])('%s is "%s"', (value, text) => {
    expect(formatValue(value)).toBe(text);
  });
});

describe('formatRate', () => {
  it.each([
    [0, '0'],
    [0.4, '0.4'],
    [12.34, '12'],
    [4820, '4,820'],
  ])('%d is "%s"', (rate, text) => {
    expect(formatRate(rate)).toBe(text);
  });
});

describe('previewPayload', () => {
  const preview = (bytes: Uint8Array | string, most?: number) =>
    previewPayload(Buffer.from(bytes as string).toString('base64'), most);

  it('shows text, and dots for what is none', () => {
    expect(preview('{"v": NaN}')).toBe('{"v": NaN}');
    expect(preview('Wärme 温度')).toBe('Wärme 温度');
    expect(preview(Uint8Array.of(0x41, 0x00, 0xff, 0x0a, 0x42))).toBe('A···B');
    expect(preview('')).toBe('');
  });

  it('cuts what is long, never inside a character', () => {
    expect(preview('温'.repeat(50), 10)).toBe(`${'温'.repeat(10)}…`);
  });
});
