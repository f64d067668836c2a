import { expect, it } from 'vitest';
import { linearConversion, parseConversion } from './unit-conversion.ts';

it.each([
  ['°F → °C', 68, 20],
  ['°F → °C', -40, -40],
  ['C -> F', 21.5, 70.7],
  ['K → °C', 293.15, 20],
  ['°C → K', 20, 293.15],
  ['mV → V', 3012, 3.012],
  ['hPa → Pa', 1013.25, 101_325],
  ['inHg → hPa', 29.92, 1013.2075888],
  ['km/h → m/s', 36, 10],
  ['kn → km/h', 10, 18.52],
  ['Wh → kWh', 1500, 1.5],
  ['% → 1', 55, 0.55],
  ['m → m', 0.1, 0.1],
] as const)('%s: %d is %d', (text, value, expected) => {
  const conversion = parseConversion(text);
  if (typeof conversion === 'string') throw new Error(conversion);
  expect(conversion(value)).toBe(expected);
});

it('multiplies and adds', () => {
  expect(linearConversion(0.1, -40)(715)).toBe(31.5);
});

it.each(['°F', '→', '°F → kg', 'x → y', 'm → ', 'constructor → m'])('refuses %j', (text) => {
  expect(parseConversion(text)).toBeTypeOf('string');
});
