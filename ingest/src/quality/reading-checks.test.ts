import { type Field, loadConfig, PointColumns, type QualityCheck, type Sensor, tagsOf } from '@tidemark/core';
import { describe, expect, it } from 'vitest';
import { ReadingChecks } from './reading-checks.ts';
import { SensorStates } from './sensor-states.ts';
import { sensorOf } from './testing/sensors.ts';

const acceptedMs = Date.UTC(2026, 4, 1, 12);

/** Checks of sensor `a` (and others by name); each call is a reading, and answers what it fails. */
function startChecks(settings: Record<string, unknown> = {}, declared: Partial<Sensor> = {}) {
  const config = loadConfig({ overrides: settings });
  const failures: QualityCheck[] = [];
  const sensors = new Map([['a', sensorOf('a', declared)]]);
  const checks = new ReadingChecks({
    config,
    directory: {
      sensor: (id) => sensors.get(id),
      sensors: () => sensors.values(),
      location: () => undefined,
    },
    states: new SensorStates({ maxSensors: 100, onForgotten: () => {} }),
    onFailure: (_, check) => failures.push(check),
  });
  return (
    values: Record<string, Field[1]>,
    atMs = 0,
    sensor = 'a',
    { measurement = 'readings', isLate = false } = {},
  ) => {
    failures.length = 0;
    const timeNs = BigInt(Math.round((acceptedMs + atMs) * 1e6));
    const point = { measurement, tags: tagsOf(sensor, undefined), fields: Object.entries(values), timeNs };
    const points = new PointColumns();
    points.push(point);
    checks.check(points, 0, { acceptedMs, isLate, seenAtMs: 0 });
    return [...failures];
  };
}

it("a traveller's position is a sign of life of its camera, and no reading", () => {
  const states = new SensorStates({ maxSensors: 100, onForgotten: () => {} });
  const directory = { sensor: () => undefined, sensors: () => [].values(), location: () => undefined };
  const checks = new ReadingChecks({ config: loadConfig(), directory, states, onFailure: () => {} });
  const point = {
    measurement: 'travellers',
    tags: [
      ['sensor', 'gate'],
      ['type', 'car'],
    ] as const,
    fields: [['x', 1]] as const,
    timeNs: 0n,
  };
  const found = checks.check(PointColumns.of([point]), 0, { acceptedMs, isLate: false, seenAtMs: 5 });
  expect(found).toBe('gate');
  expect(states.find('gate')).toMatchObject({ seenAtMs: 5, readings: 0 });
});

describe('a reading', () => {
  it.each([
    ['lat', 90.001, 'latitude'],
    ['Latitude', -91, 'latitude'],
    ['lon', 180.1, 'longitude'],
    ['lng', -180.1, 'longitude'],
    ['longitude', 500, 'longitude'],
  ])('%s %d fails %s', (metric, value, check) => {
    expect(startChecks()({ [metric]: value })).toEqual([check]);
  });

  it('of coordinates at the very edge fails nothing', () => {
    expect(startChecks()({ lat: 90, latitude: -90, lon: 180, lng: -180, longitude: 0 })).toEqual([]);
  });

  it('fails range outside of what its owner declared, both ends included', () => {
    const check = startChecks({}, { metrics: { t: { min: -10, max: 40 }, h: { max: 100 } } });
    const found = [-10, 40, -10.1, 40.1].map((t, index) => check({ t }, index));
    expect(found).toEqual([[], [], ['range'], ['range']]);
    expect(check({ h: -1e9, undeclared: 1e300 }, 10)).toEqual([]);
    expect(check({ h: 100.5 }, 11)).toEqual(['range']);
  });

  it('fails clock when it is far from its acceptance', () => {
    const check = startChecks({ 'lateness.skewMs': 1000 });
    expect([-1000, -1001, 1000, 1001].map((atMs) => check({ t: 1 }, atMs).includes('clock'))).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });

  it('fails late when acceptance found it so', () => {
    const check = startChecks();
    expect(check({ t: 1, h: 1 }, 0, 'a', { isLate: true })).toEqual(['late']);
    expect(check({ t: 1, h: 1 }, 1, 'a', { isLate: false })).toEqual([]);
  });

  it('fails duplicate when its sensor told that metric for that time before', () => {
    const check = startChecks();
    expect(check({ t: 1, h: 2 }, 0)).toEqual([]);
    expect(check({ p: 1 }, 0)).toEqual([]);
    expect(check({ t: 9 }, 0.000_25)).toEqual([]);
    expect(check({ t: 1, h: 2 }, 0)).toEqual(['duplicate']);
    expect(check({ note_text: 'x', p: 3 }, 0)).toEqual(['duplicate']);
    expect(check({ t: 1 }, 0, 'b')).toEqual([]);
  });

  it('fails jump when a metric with a limit changes by more from one reading to the next', () => {
    const check = startChecks({ 'quality.jumps': 't=5,h=20', 'quality.jumpWithinMs': 1000 });
    const steps: [number, number][] = [
      [10, 0],
      [15, 100],
      [9.9, 200],
      [30, 1201],
      [0, 1100],
      [31, 1300],
    ];
    expect(steps.map(([t, atMs]) => check({ t, other: t * 100 }, atMs))).toEqual([
      [],
      [],
      ['jump'],
      // Too long after the one before, then out of order: nothing to compare with.
      [],
      [],
      [],
    ]);
  });

  it('fails stuck when a metric with a limit keeps its value for longer', () => {
    const check = startChecks({ 'quality.stuck': 't=1000' });
    const found = [0, 1000, 1001, 2000].map((atMs) => check({ t: 7, door: 1 }, atMs));
    expect(found).toEqual([[], [], ['stuck'], ['stuck']]);
    expect(check({ t: 7.1 }, 2001)).toEqual([]);
    expect(check({ t: 7.1 }, 3001)).toEqual([]);
    expect(check({ t: 7.1 }, 3002)).toEqual(['stuck']);
  });

  it('is not checked for what is switched off', () => {
    const check = startChecks({ 'quality.checks': 'longitude', 'quality.jumps': 'lat=1' });
    expect(check({ lat: 100 }, 1e9)).toEqual([]);
    expect(check({ lat: 200, lon: 200 }, 1e9)).toEqual(['longitude']);
  });
});

it('points of other measurements, our own among them, are not checked', () => {
  const check = startChecks();
  expect(check({ lat: 100 }, 1e9, 'a', { measurement: 'sensor_state' })).toEqual([]);
  expect(check({ lat: 100 }, 1e9, 'a', { measurement: 'weather' })).toEqual([]);
});
