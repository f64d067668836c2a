import { loadConfig, type Sensor, type Submission } from '@tidemark/core';
import { expect, it } from 'vitest';
import { ClockLimits } from './clock-limits.ts';
import { DeliveryMemory } from './delivery-memory.ts';
import { FieldPins } from './field-pins.ts';
import { Lateness } from './lateness.ts';
import { Pipeline } from './pipeline.ts';
import { Placement } from './placement.ts';
import { Stamper } from './stamper.ts';
import { metricOf, noMappings, silentSparkplug, startRegistry, startSpool } from './testing/test-parts.ts';

// Which time a reading has in the end, and how it is counted and marked on the way.

const startNs = 1_800_000_000_000_000_000n;
const hourNs = 3_600_000_000_000n;
const dayNs = 24n * hourNs;
const yearNs = 365n * dayNs;

async function start(sensor?: Partial<Sensor> & { id: string }) {
  const { spool, metrics, registry: counters } = await startSpool();
  const registrar = await startRegistry();
  if (sensor) {
    const declared = registrar.register('template', undefined, [])!;
    registrar.write({ sensors: [{ ...declared, ...sensor }], removedSensors: ['template'] });
  }
  const clock = { nowNs: startNs };
  const pipeline = new Pipeline({
    spool,
    stamper: new Stamper(0n),
    deliveries: new DeliveryMemory(),
    sparkplug: silentSparkplug(registrar),
    placement: new Placement({ registrar, limits: loadConfig().registry, metrics }),
    lateness: new Lateness({ allowedMs: 60_000 }),
    pins: new FieldPins('quarantine'),
    mappings: noMappings(),
    clockLimits: new ClockLimits({
      maxFutureMs: 24 * 3_600_000,
      skewMs: 3_600_000,
      offClock: metrics.offClock,
    }),
    clock: { nowNs: () => clock.nowNs, monotonicMs: () => 0 },
    metrics,
    limits: { maxReadingsPerMessage: 100, maxFieldsPerReading: 64 },
  });
  const accept = async (submission: Submission) => {
    const before = spool.endOffset;
    const { promise, resolve } = Promise.withResolvers<void>();
    const outcome = pipeline.accept(submission, () => resolve());
    await promise;
    const { entries } = await spool.take(before, 1e9);
    const agesNs = (isLate: boolean) =>
      entries
        .filter((entry) => entry.isLate === isLate)
        .flatMap(({ points }) => points.map(({ timeNs }) => clock.nowNs - timeNs));
    const codes = outcome.rejected.map(({ code }) => code);
    return { codes, onTime: agesNs(false), late: agesNs(true), accepted: outcome.accepted };
  };
  /** Publishes readings of these ages; `undefined` brings no time. */
  const publish = (agesNs: readonly (bigint | undefined)[], topic = 'sensors/s') => {
    const times = agesNs.map((age) => (age === undefined ? '' : `, "time": ${clock.nowNs - age}`));
    const payload = Buffer.from(`[${times.map((time) => `{"t": 1${time}}`).join()}]`);
    return accept({ source: 'mqtt', topic, payload });
  };
  const publishLines = (text: string) =>
    accept({ source: 'mqtt', topic: 'lines/x', payload: Buffer.from(text) });
  const count = (name: string) => metricOf(counters, `tidemark_ingest_${name}_total`);
  return { clock, publish, publishLines, count };
}

it('a device a year behind is stored as given, one a year ahead refused; both are counted', async () => {
  const { publish, count } = await start();
  expect(await publish([yearNs])).toMatchObject({ codes: [], onTime: [yearNs] });
  expect(await publish([-yearNs])).toMatchObject({ codes: ['time_out_of_range'], onTime: [] });
  expect(await publish([-23n * hourNs])).toMatchObject({ codes: [], onTime: [-23n * hourNs] });
  expect(await publish([0n])).toMatchObject({ codes: [], onTime: [0n] });
  expect(await count('off_clock_points')).toBe(2);
  expect(await count('quarantined')).toBe(1);
});

it('late readings of a message are stored apart, marked and counted', async () => {
  const { publish, count } = await start();
  expect(await publish([0n, dayNs, 1n, 2n * dayNs])).toEqual({
    codes: [],
    accepted: 4,
    onTime: [0n, 1n],
    late: [dayNs, 2n * dayNs],
  });
  expect(await publish([dayNs])).toMatchObject({ onTime: [], late: [dayNs] });
  expect(await count('late_points')).toBe(3);
  expect(await count('points')).toBe(5);
});

it('lines of measurement readings are late as other readings are; other lines never', async () => {
  const { publishLines, count } = await start();
  const line = (measurement: string, ageNs: bigint) => `${measurement},sensor=s t=1 ${startNs - ageNs}`;
  await publishLines([line('readings', 0n), line('weather', 0n)].join('\n'));
  const text = [line('readings', dayNs), line('weather', dayNs)].join('\n');
  expect(await publishLines(text)).toMatchObject({ onTime: [dayNs], late: [dayNs] });
  expect(await count('late_points')).toBe(1);
});

it('a sensor whose clock is not trusted is stamped whatever time it brings', async () => {
  const { publish, publishLines, count } = await start({ id: 's', timeFrom: 'server' });
  expect(await publish([yearNs, undefined, -yearNs])).toMatchObject({
    codes: [],
    onTime: [0n, -1000n, -2000n],
    late: [],
  });
  expect(await publishLines(`readings,sensor=s t=1 5`)).toMatchObject({ onTime: [-3000n] });
  expect(await count('server_timed_points')).toBe(3);
  expect(await count('off_clock_points')).toBe(0);
  expect(await publish([yearNs], 'sensors/other')).toMatchObject({ onTime: [yearNs] });
});

it('when the clock is set back by an hour, readings without a time follow it, and none of them is late', async () => {
  const { clock, publish, count } = await start();
  await publish([undefined]);
  clock.nowNs -= hourNs;
  expect(await publish([undefined, undefined])).toMatchObject({ onTime: [-1n, -1001n], late: [] });
  clock.nowNs += hourNs;
  expect(await publish([undefined])).toMatchObject({ onTime: [-1n], late: [] });
  expect(await count('late_points')).toBe(0);
});
