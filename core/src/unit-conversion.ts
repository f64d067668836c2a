/** A number in one unit as the same in another. */
export type Conversion = (value: number) => number;

/** base = (value + shift) × numerator / denominator: a fraction keeps 68 °F at 20 °C, and not a hair beside it. */
interface Unit {
  dimension: string;
  shift: number;
  numerator: number;
  denominator: number;
}

const units = new Map<string, Unit>();

function define(dimension: string, list: Record<string, number | readonly [number, number]>): void {
  for (const [names, factor] of Object.entries(list)) {
    const [numerator, denominator] = typeof factor === 'number' ? [factor, 1] : factor;
    for (const name of names.split(' ')) units.set(name, { dimension, shift: 0, numerator, denominator });
  }
}

for (const name of ['°C', 'C'])
  units.set(name, { dimension: 'temperature', shift: 0, numerator: 1, denominator: 1 });
for (const name of ['°F', 'F'])
  units.set(name, { dimension: 'temperature', shift: -32, numerator: 5, denominator: 9 });
units.set('K', { dimension: 'temperature', shift: -273.15, numerator: 1, denominator: 1 });

// NIST Special Publication 811, appendix B, for units outside of the SI.
define('pressure', {
  Pa: 1,
  hPa: 100,
  kPa: 1000,
  MPa: 1e6,
  mbar: 100,
  bar: 1e5,
  atm: 101_325,
  mmHg: 133.322_387_415,
  inHg: 3386.389,
  psi: 6894.757_293_168,
});
define('length', {
  mm: [1, 1000],
  cm: [1, 100],
  m: 1,
  km: 1000,
  in: 0.0254,
  ft: 0.3048,
  yd: 0.9144,
  mi: 1609.344,
  nmi: 1852,
});
define('speed', { 'm/s': 1, 'km/h': [5, 18], 'kn kt': [1852, 3600], mph: 0.447_04, 'ft/s': 0.3048 });
define('mass', {
  mg: [1, 1_000_000],
  g: [1, 1000],
  kg: 1,
  t: 1000,
  oz: 0.028_349_523_125,
  lb: 0.453_592_37,
});
define('volume', {
  ml: [1, 1_000_000],
  'l L': [1, 1000],
  'm³ m3': 1,
  'ft³ ft3': 0.028_316_846_592,
  gal: 0.003_785_411_784,
});
define('energy', {
  J: 1,
  kJ: 1000,
  MJ: 1e6,
  Wmin: 60,
  Wh: 3600,
  kWh: 3_600_000,
  MWh: 3.6e9,
  kcal: 4184,
});
define('power', { mW: [1, 1000], W: 1, kW: 1000, MW: 1e6, hp: 745.699_871_582 });
define('voltage', { mV: [1, 1000], V: 1, kV: 1000 });
define('current', { µA: [1, 1_000_000], mA: [1, 1000], A: 1 });
define('duration', { µs: [1, 1_000_000], ms: [1, 1000], s: 1, min: 60, h: 3600, d: 86_400 });
define('ratio', { ppm: [1, 1_000_000], '‰': [1, 1000], '%': [1, 100], '1': 1 });
define('angle', { rad: 1, '° deg': [Math.PI, 180] });

const arrow = /^\s*(.+?)\s*(?:→|->)\s*(.+?)\s*$/;

/** Reads `°F → °C`, also written `F -> C`; a string says what is wrong with it. */
export function parseConversion(text: string): Conversion | string {
  const [, fromName, toName] = arrow.exec(text) ?? [];
  if (fromName === undefined || toName === undefined) return 'is no conversion such as °F → °C';
  const from = units.get(fromName);
  const to = units.get(toName);
  for (const [unit, name] of [
    [from, fromName],
    [to, toName],
  ] as const)
    if (unit === undefined)
      return `names a unit that is not known, ${name}; use {factor, offset}, or one of ${[...units.keys()].join(' ')}`;
  if (from!.dimension !== to!.dimension)
    return `cannot be: ${fromName} is of ${from!.dimension}, ${toName} of ${to!.dimension}`;
  return (value) => rounded(fromBase(toBase(value, from!), to!));
}

/** value × factor + offset. */
export function linearConversion(factor: number, offset: number): Conversion {
  return (value) => rounded(value * factor + offset);
}

function toBase(value: number, { shift, numerator, denominator }: Unit): number {
  return ((value + shift) * numerator) / denominator;
}

function fromBase(value: number, { shift, numerator, denominator }: Unit): number {
  return (value * denominator) / numerator - shift;
}

/** 15 digits: what a calculation leaves behind them is its own noise. */
function rounded(value: number): number {
  return Number(value.toPrecision(15));
}
