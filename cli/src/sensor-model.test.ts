import { describe, expect, it } from 'vitest';
import { metricsOption } from './options.ts';
import { createRandom, MetricModel, metricKinds } from './sensor-model.ts';
import { createSensors } from './simulate.ts';

const series = (seed: number, name = 'temperature', sensor = 'sensor-1') => {
  const model = new MetricModel({ seed, sensor, metric: metricsOption(name)[0]! });
  return Array.from({ length: 500 }, (_, second) => model.next(second));
};

describe('MetricModel', () => {
  it('gives the same values for the same seed, and others for another seed, sensor or metric', () => {
    expect(series(1)).toEqual(series(1));
    for (const other of [series(2), series(1, 'attic:temperature'), series(1, 'temperature', 'sensor-2')]) {
      expect(other).not.toEqual(series(1));
    }
  });

  it('moves smoothly: no step of a temperature is large beside its swing', () => {
    const values = series(1) as number[];
    const steps = values.slice(1).map((value, index) => Math.abs(value - values[index]!));
    expect(Math.max(...steps)).toBeLessThan(0.5);
    expect(Math.max(...values) - Math.min(...values)).toBeGreaterThan(1);
  });

  it('makes random whole numbers from 0 to 100, both reached', () => {
    const model = new MetricModel({ seed: 1, sensor: 's', metric: { name: 'n', kind: 'integer' } });
    const values = Array.from({ length: 5000 }, () => model.next(0) as number);
    expect([Math.min(...values), Math.max(...values), values.every(Number.isInteger)]).toEqual([
      0,
      100,
      true,
    ]);
  });
});

it('spreads random numbers over [0, 1)', () => {
  const random = createRandom(42);
  const values = Array.from({ length: 10_000 }, random);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.02);
  expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
});

it('names sensors in order, and writes JSON for metrics of any name', () => {
  const metrics = metricsOption(`${metricKinds.join(',')},"q":co2`);
  const [first, second] = createSensors({ sensors: 2, seed: 7, metrics, prefix: 'wing' });
  expect([first?.topic, second?.topic]).toEqual(['sensors/wing-1', 'sensors/wing-2']);
  expect(Object.keys(JSON.parse(`{${first?.next(0)}}`) as object)).toEqual([...metricKinds, '"q"']);
});

it.each(['wind', 'a:wind', 'a/b:co2', ':co2', 'temperature,temperature', ''])(
  'refuses the metrics %j',
  (text) => {
    expect(() => metricsOption(text)).toThrowError();
  },
);
