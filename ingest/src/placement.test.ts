import { type Config, loadConfig, type Point, type Sensor } from '@tidemark/core';
import type { SensorRegistry } from '@tidemark/store';
import { expect, it, vi } from 'vitest';
import { ClockLimits } from './clock-limits.ts';
import { DeliveryMemory } from './delivery-memory.ts';
import { FieldPins } from './field-pins.ts';
import { Lateness } from './lateness.ts';
import { Pipeline } from './pipeline.ts';
import { Placement } from './placement.ts';
import { Stamper } from './stamper.ts';
import {
  metricOf,
  noMappings,
  openMeta,
  range,
  silentSparkplug,
  startRegistry,
  startSpool,
} from './testing/test-parts.ts';

interface StartOptions {
  mode?: Config['registry']['mode'];
  limits?: Partial<Config['registry']>;
}

async function start({ mode = 'open', limits = {} }: StartOptions = {}) {
  const { spool, metrics, registry: counters } = await startSpool();
  const registry = await startRegistry(limits);
  const pipeline = new Pipeline({
    spool,
    stamper: new Stamper(0n),
    deliveries: new DeliveryMemory(),
    sparkplug: silentSparkplug(registry),
    placement: new Placement({
      registrar: registry,
      limits: { ...loadConfig().registry, ...limits, mode },
      metrics,
    }),
    lateness: new Lateness({ allowedMs: 60_000 }),
    pins: new FieldPins('quarantine'),
    mappings: noMappings(),
    clockLimits: new ClockLimits({ maxFutureMs: 60_000, skewMs: 30_000, offClock: metrics.offClock }),
    clock: { nowNs: () => 1000n, monotonicMs: () => 0 },
    metrics,
    limits: { maxReadingsPerMessage: 100, maxFieldsPerReading: 64 },
  });
  const publish = async (
    topic: string,
    payload: unknown,
  ): Promise<{ refused: string[]; series: string[] }> => {
    const before = spool.endOffset;
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const { promise, resolve } = Promise.withResolvers<void>();
    const outcome = pipeline.accept({ source: 'mqtt', topic, payload: Buffer.from(text) }, () => resolve());
    await promise;
    const { entries } = await spool.take(before, 1e9);
    const series = entries.flatMap(({ points }) => points.map(seriesOf));
    return { refused: outcome.rejected.map(({ code }) => code), series };
  };
  return { registry, counters, publish };
}

function seriesOf({ tags, fields }: Point): string {
  return `${tags.map((tag) => tag.join('=')).join(',')} ${fields.map(([name]) => name).join(',')}`;
}

/** Registers a sensor by hand that was at `a` from 0, at `b` from 100 and nowhere known from 200 on. */
function declare(registry: SensorRegistry, sensor: Partial<Sensor> & { id: string }): void {
  const declared = registry.register('template', undefined, [])!;
  const stays = [
    { location: 'a', fromNs: 0n },
    { location: 'b', fromNs: 100n },
    { location: undefined, fromNs: 200n },
  ];
  registry.write({
    sensors: [{ ...declared, isSelfRegistered: false, stays, ...sensor }],
    removedSensors: ['template'],
  });
}

it('an unknown sensor registers itself, with its metrics and the place that it names', async () => {
  const { registry, publish } = await start();
  expect(await publish('sensors/s', { t: 1, text: 'x', location: 'hall' })).toEqual({
    refused: [],
    series: ['location=hall,sensor=s t,text_text'],
  });
  expect(registry.sensor('s')).toMatchObject({ isSelfRegistered: true, reportedLocation: 'hall', stays: [] });
  expect(Object.keys(registry.sensor('s')!.metrics)).toEqual(['t', 'text']);
  expect(registry.location('hall')).toMatchObject({ name: 'hall', isSelfRegistered: true });
  expect((await publish('sensors/s', { u: 1, location: 'yard' })).series).toEqual([
    'location=yard,sensor=s u',
  ]);
  expect((await publish('sensors/s', { u: 1 })).series).toEqual(['sensor=s u']);
  expect(registry.sensor('s')).toMatchObject({ reportedLocation: 'yard' });
  expect(Object.keys(registry.sensor('s')!.metrics)).toEqual(['t', 'text', 'u']);
});

it('what is refused registers nothing', async () => {
  const { registry, publish } = await start();
  await publish('sensors/s', { t: null });
  await publish('sensors/s', { t: 1, time: -5 });
  await publish('sensors/s/t', 'nonsense');
  expect([...registry.sensors()]).toEqual([]);
});

it.each(['open', 'strict'] as const)(
  'a declared sensor is where it was at the time of the reading (%s)',
  async (mode) => {
    const { registry, publish } = await start({ mode });
    declare(registry, { id: 's' });
    const times = [{ time: 0 }, { time: 99 }, { time: 100 }, { time: 199 }, { time: 200 }];
    const readings = times.map(({ time }) => ({
      t: 1,
      time: `1970-01-01T00:00:00.000000${String(time).padStart(3, '0')}Z`,
    }));
    const { series } = await publish('sensors/s', readings);
    expect(series).toEqual(
      ['a', 'a', 'b', 'b'].map((at) => `location=${at},sensor=s t`).concat('sensor=s t'),
    );
  },
);

it('in open mode a declared place wins over the message, and the difference is counted', async () => {
  const { registry, counters, publish } = await start();
  declare(registry, { id: 's' });
  const early = '1970-01-01T00:00:00.000000050Z';
  expect((await publish('sensors/s', { t: 1, time: early, location: 'x' })).series).toEqual([
    'location=a,sensor=s t',
  ]);
  expect((await publish('sensors/s', { t: 1, time: early, location: 'a' })).series).toEqual([
    'location=a,sensor=s t',
  ]);
  expect(await metricOf(counters, 'tidemark_ingest_location_differences_total')).toBe(1);
  // Nobody declared where it is from 200 on.
  expect((await publish('sensors/s', { t: 1, location: 'x' })).series).toEqual(['location=x,sensor=s t']);
});

it('in strict mode only what the registry knows is accepted', async () => {
  const { registry, publish } = await start({ mode: 'strict' });
  declare(registry, { id: 's' });
  const time = '1970-01-01T00:00:00.000000150Z';
  expect(await publish('sensors/ghost/t', '1')).toEqual({ refused: ['unknown_sensor'], series: [] });
  expect((await publish('sensors/s', { t: 1, time, location: 'a' })).refused).toEqual(['wrong_location']);
  expect((await publish('sensors/s', { t: 1, location: 'b' })).refused).toEqual(['wrong_location']);
  expect(
    await publish('sensors/s', [
      { t: 1, time, location: 'b' },
      { t: 2, time: 3, location: 'b' },
    ]),
  ).toEqual({
    refused: ['wrong_location'],
    series: ['location=b,sensor=s t'],
  });
  expect([...registry.sensors()]).toHaveLength(1);
  // Once registered, the same message is taken.
  declare(registry, { id: 'ghost' });
  expect((await publish('sensors/ghost/t', '1')).series).toEqual(['sensor=ghost t']);
});

it('lines of measurement readings are readings; other lines are none of its business', async () => {
  const strict = await start({ mode: 'strict' });
  declare(strict.registry, { id: 's' });
  const lines = [
    'readings,sensor=s,rack=2 t=1i 150',
    'readings,sensor=ghost t=1 1',
    'readings t=1 1',
    'weather f=1 1',
  ];
  expect(await strict.publish('lines/x', lines.join('\n'))).toEqual({
    refused: ['unknown_sensor', 'unknown_sensor'],
    series: ['location=b,rack=2,sensor=s t', ' f'],
  });
  const open = await start();
  expect((await open.publish('lines/x', lines.join('\n'))).series).toEqual([
    'rack=2,sensor=s t',
    'sensor=ghost t',
    ' t',
    ' f',
  ]);
  expect(Array.from(open.registry.sensors(), ({ id }) => id)).toEqual(['s', 'ghost']);
});

it('text of a line is kept apart from the numbers of its metric, under the name that text of readings has', async () => {
  const { registry, publish } = await start();
  const lines = [
    'readings,sensor=s mode="eco",t=1i 1',
    'readings,sensor=s mode_text="eco" 1',
    'readings,sensor=s mode=2 1',
    'readings mode="eco" 1',
    'readings,sensor=s mode="eco",mode_text=5 1',
    'weather mode="eco" 1',
  ];
  expect(await publish('lines/x', lines.join('\n'))).toEqual({
    refused: ['type_conflict'],
    series: ['sensor=s t,mode_text', 'sensor=s mode_text', 'sensor=s mode', ' mode_text', ' mode'],
  });
  expect(Object.keys(registry.sensor('s')!.metrics).sort()).toEqual(['mode', 't']);
});

it('a renamed sensor is stored under its new id, whichever it reports by', async () => {
  const { registry, publish } = await start();
  await publish('sensors/old/t', '1');
  const sensor = registry.sensor('old')!;
  registry.write({ removedSensors: ['old'], sensors: [{ ...sensor, id: 'new', formerIds: ['old'] }] });
  expect((await publish('sensors/old/t', '1')).series).toEqual(['sensor=new t']);
  expect((await publish('sensors/new', { t: 1 })).series).toEqual(['sensor=new t']);
  expect([...registry.sensors()]).toHaveLength(1);
});

it('past a limit, new sensors and metrics are refused with a word, counted, and the known go on', async () => {
  const { publish } = await start({ limits: { maxSensors: 2 } });
  for (const n of range(0, 2)) await publish(`sensors/s${n}/t`, '1');
  expect(await publish('sensors/s2/t', '1')).toEqual({ refused: ['too_many_sensors'], series: [] });
  expect((await publish('sensors/s1/t', '1')).refused).toEqual([]);

  const hasty = await start({ limits: { maxNewSensorsPerMinute: 1 } });
  await hasty.publish('sensors/s0/t', '1');
  expect((await hasty.publish('sensors/s1/t', '1')).refused).toEqual(['too_many_sensors']);

  const narrow = await start({ limits: { maxMetricsPerSensor: 2 } });
  await narrow.publish('sensors/s', { a: 1, b: 1 });
  expect(await narrow.publish('sensors/s', { a: 1, c: 1, d: 1 })).toEqual({
    refused: ['too_many_metrics'],
    series: ['sensor=s a'],
  });
  expect(await narrow.publish('sensors/s', { c: 1 })).toEqual({ refused: ['too_many_metrics'], series: [] });
  // A first reading with too many is cut as well.
  expect((await narrow.publish('sensors/t', { a: 1, b: 1, c: 1 })).series).toEqual(['sensor=t a,b']);
});

it('what registered itself is there after a restart', async () => {
  const db = await openMeta();
  const first = await startRegistry({}, db);
  first.register('__proto__', 'hall', ['__proto__', 'constructor']);
  await first.stop();
  const again = await startRegistry({}, db);
  expect(again.sensor('__proto__')).toEqual(first.sensor('__proto__'));
  expect(Object.keys(again.sensor('__proto__')!.metrics)).toEqual(['__proto__', 'constructor']);
  expect(again.location('hall')).toEqual(first.location('hall'));
});

it('a full registry is looked up once for each sensor; what is remembered has a bound all the same', async () => {
  const { registry, publish } = await start({ limits: { maxSensors: 5 } });
  const lookUps = vi.spyOn(registry, 'sensor');
  const round = async () => {
    for (let n = 0; n < 5; n++) await publish(`sensors/s${n}`, { t: 1, location: 'hall' });
  };
  await round();
  lookUps.mockClear();
  for (let times = 0; times < 3; times++) await round();
  expect(lookUps).not.toHaveBeenCalled();
  for (let n = 0; n < 40; n++) await publish('sensors/s0', { t: 1, location: `place ${n}` });
  expect(lookUps.mock.calls.length).toBeGreaterThan(1);
});
