import { type Location, type Point, type Sensor, TidemarkError } from '@tidemark/core';
import { expect, it } from 'vitest';
import { MetricWriter } from './metric-writer.ts';
import { sensorOf } from './testing/sensors.ts';

const hourNs = 3_600_000_000_000n;
const stepNs = 10_000_000_000n;
const float = (field: string) => ({ measurement: 'readings', field, type: 'float' as const });

/** A writer over a registry and a store that the test changes; `next` looks once more, ten seconds later. */
function openWriter() {
  const sensors = new Map<string, Sensor>();
  const fields = [float('temperature'), { ...float('door_text'), type: 'string' as const }];
  const clock = { now: 100n * hourNs };
  const store = { isDown: false };
  let written: Point[] = [];
  const writer = new MetricWriter({
    clock: { nowNs: () => clock.now, monotonicMs: () => Number(clock.now / 1_000_000n) },
    append: async (points) => {
      written = [...written, ...points];
    },
    directory: {
      sensor: (id) => sensors.get(id),
      sensors: () => sensors.values(),
      location: (): Location | undefined => undefined,
    },
    engine: {
      fields: async () => {
        if (store.isDown) throw new TidemarkError('store_unavailable', 'down', { retryable: true });
        return fields;
      },
    },
  });
  const put = (id: string, metrics: readonly string[], more: Partial<Sensor> = {}) =>
    sensors.set(
      id,
      sensorOf(id, { ...more, metrics: Object.fromEntries(metrics.map((name) => [name, {}])) }),
    );
  const next = async () => {
    written = [];
    clock.now += stepNs;
    await writer.write();
    return written.map(({ tags }) => tags.map(([, value]) => value).join(' '));
  };
  return { put, next, fields, clock, store, points: () => written };
}

it('writes each metric of a sensor that is a number once an hour, with its place', async () => {
  const { put, next, clock, points } = openWriter();
  put('a', ['temperature', 'door'], { reportedLocation: 'hall' });
  expect(await next()).toEqual(['hall temperature a']);
  expect(points()).toEqual([
    {
      measurement: 'sensor_metrics',
      tags: [
        ['location', 'hall'],
        ['metric', 'temperature'],
        ['sensor', 'a'],
      ],
      fields: [['known', 1]],
      timeNs: 100n * hourNs,
    },
  ]);
  expect(await next()).toEqual([]);
  clock.now = 101n * hourNs;
  expect(await next()).toEqual(['hall temperature a']);
  expect(points()[0]!.timeNs).toBe(101n * hourNs);
});

it('a sensor that is new, has changed, or reports what the store did not know, is written within seconds', async () => {
  const { put, next, fields } = openWriter();
  expect(await next()).toEqual([]);
  put('a', ['temperature']);
  expect(await next()).toEqual(['temperature a']);
  put('a', ['temperature', 'humidity']);
  expect(await next()).toEqual(['temperature a']);
  expect(await next()).toEqual([]);
  fields.push(float('humidity'));
  expect(await next()).toEqual(['temperature a', 'humidity a']);
  expect(await next()).toEqual([]);
});

it('a sensor that is retired is left out', async () => {
  const { put, next } = openWriter();
  put('a', ['temperature'], { state: 'retired' });
  expect(await next()).toEqual([]);
});

it('what could not be asked of the store is asked again', async () => {
  const { put, next, store } = openWriter();
  put('a', ['temperature']);
  store.isDown = true;
  expect(await next()).toEqual([]);
  store.isDown = false;
  expect(await next()).toEqual(['temperature a']);
});

it('writes no more than 50 000 series', async () => {
  const { put, next } = openWriter();
  for (let n = 0; n <= 50_000; n++) put(`s${n}`, ['temperature']);
  expect(await next()).toHaveLength(50_000);
});
