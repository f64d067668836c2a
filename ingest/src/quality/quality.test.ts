import {
  type Clock,
  createMetrics,
  type Incident,
  type Location,
  loadConfig,
  type Point,
  type QualityFilter,
  type Sensor,
  silentLogger,
  systemClock,
  tagsOf,
} from '@tidemark/core';
import type { LatestValue, MetaDb } from '@tidemark/store';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { encodeRefusal } from '../quarantine/refusal.ts';
import { recordKinds } from '../spool/record.ts';
import type { Spool } from '../spool/spool.ts';
import { appendPoints, metricOf, openMeta, range, startSpool, tempDir } from '../testing/test-parts.ts';
import { FailureCounts } from './failure-counts.ts';
import { Quality } from './quality.ts';
import { sensorOf } from './testing/sensors.ts';

const all: QualityFilter = { fromNs: 0n, toNs: 1n << 62n, limit: 1000 };
const nowNs = () => systemClock.nowNs();
let given = 0n;
/** The machine may be busy: what is awaited has its time. */
const soon = <T>(read: () => T) => expect.poll(read, { timeout: 20_000 });
/** Now, and never the same twice. */
const newTimeNs = () => nowNs() + ++given;

interface Parts {
  directory: string;
  spool: Spool;
  meta: MetaDb;
  clock?: Clock;
  sensors?: Sensor[];
  locations?: Location[];
  latest?: Partial<LatestValue>[];
  latestOf?: () => Promise<LatestValue[]>;
  settings?: Record<string, unknown>;
}

/** Everything that is on the disk, for one run after another. */
async function openParts(): Promise<Pick<Parts, 'directory' | 'spool' | 'meta'>> {
  const directory = await tempDir();
  const { spool } = await startSpool({ directory });
  return { directory, spool, meta: await openMeta(directory) };
}

function startQuality({
  spool,
  meta,
  clock = systemClock,
  sensors = [],
  locations = [],
  latest = [],
  latestOf = async () => latest as LatestValue[],
  settings = {},
}: Parts) {
  const told: Incident[] = [];
  const counts = new FailureCounts(meta);
  const metrics = createMetrics();
  const byId = new Map(sensors.map((sensor) => [sensor.id, sensor]));
  const quality = new Quality({
    config: loadConfig({ overrides: settings }),
    clock,
    logger: silentLogger,
    metrics,
    spool,
    engine: { latest: latestOf, windows: async () => [], fields: async () => [] },
    meta,
    directory: {
      sensor: (id) => byId.get(id),
      sensors: () => byId.values(),
      location: (id) => locations.find((location) => location.id === id),
    },
    incidents: { tell: (incident) => told.push(incident) },
    counts,
    lookEveryMs: 20,
  });
  quality.start();
  onTestFinished(() => quality.stop());
  const counted = async () =>
    (await quality.counts(all)).map(({ sensor, check, count }) => [sensor, check, count]);
  return { quality, counted, counts, told, metrics };
}

function readingOf(sensor: string, lat: number, timeNs = newTimeNs()): Point {
  return { measurement: 'readings', tags: tagsOf(sensor, undefined), fields: [['lat', lat]], timeNs };
}

function accept(spool: Spool, points: readonly Point[], acceptedNs = nowNs()): Promise<void> {
  return appendPoints(spool, points, acceptedNs);
}

function refuse(spool: Spool, sensor: string | undefined): Promise<void> {
  const part = { source: 'mqtt', topic: 't', reason: 'not_finite' as const, detail: 'd', sensor };
  const text = encodeRefusal({ ...part, timeNs: nowNs(), payload: new Uint8Array(2) });
  return new Promise((resolve) => {
    spool.append(recordKinds.refusal, nowNs(), text, [], () => resolve());
  });
}

describe('counts', () => {
  it('are by sensor and check, and hold what was accepted before they are asked for', async () => {
    const parts = await openParts();
    const { counted, metrics } = startQuality(parts);
    for (const n of range(0, 3)) await accept(parts.spool, [readingOf('a', 91 + n), readingOf('b', 9)]);
    await accept(parts.spool, [readingOf('b', -91)]);
    await soon(counted).toEqual([
      ['a', 'latitude', 3],
      ['b', 'latitude', 1],
    ]);
    expect(await metricOf(metrics, 'tidemark_quality_failures_total')).toBe(4);
  });

  it('can be asked for by sensor, check, time and page', async () => {
    const parts = await openParts();
    const { quality } = startQuality(parts);
    const oldNs = nowNs() - 7_200_000_000_000n;
    for (const sensor of ['a', 'b', 'c']) await accept(parts.spool, [readingOf(sensor, 100, oldNs)]);
    const namesOf = async (filter: Partial<QualityFilter>) =>
      (await quality.counts({ ...all, ...filter })).map(({ sensor, check }) => `${sensor} ${check}`);
    expect(await namesOf({ sensors: ['b', 'c'], checks: ['clock'] })).toEqual(['b clock', 'c clock']);
    expect(await namesOf({ after: { sensor: 'a', check: 'latitude' }, limit: 2 })).toEqual([
      'b clock',
      'b latitude',
    ]);
    // By acceptance, whatever the readings' own time.
    expect(await namesOf({ toNs: oldNs + 1n })).toEqual([]);
    expect(await namesOf({ fromNs: nowNs() })).toHaveLength(6);
    expect(await namesOf({ fromNs: nowNs() + 120_000_000_000n })).toEqual([]);
  });

  it('count each failure once, whenever the platform ends', async () => {
    const parts = await openParts();
    for (const run of range(0, 4)) {
      const { quality, counted, counts } = startQuality(parts);
      await appendPoints(
        parts.spool,
        range(0, 50).map((n) => readingOf('a', 100 + n)),
      );
      await soon(counted).toEqual([['a', 'latitude', run * 100 + 50]]);
      // It is read and never saved, as when the process is killed.
      const save = vi.spyOn(counts, 'save').mockImplementation(() => {
        throw new Error('killed');
      });
      await appendPoints(
        parts.spool,
        range(0, 50).map((n) => readingOf('a', 100 + n)),
      );
      await quality.stop();
      expect(save).toHaveBeenCalled();
    }
    await soon(startQuality(parts).counted).toEqual([['a', 'latitude', 400]]);
    await soon(() => parts.spool.cursor('quality')).toBe(parts.spool.endOffset);
  });

  it('of a minute that ended go into the log, once, and are no readings', async () => {
    const parts = await openParts();
    const clock = movableClock();
    await accept(parts.spool, [readingOf('a', 100)]);
    await refuse(parts.spool, 'a');
    clock.forwardMs = 61_000;
    const { counted } = startQuality({ ...parts, clock });
    await soon(counted).toHaveLength(1);
    const own = async () =>
      (await parts.spool.take(0, 1e6)).entries
        .flatMap(({ points }) => points)
        .filter(({ measurement }) => measurement !== 'readings');
    await soon(own).toHaveLength(2);
    expect(await own()).toEqual([
      {
        measurement: 'quality',
        tags: [
          ['check', 'latitude'],
          ['sensor', 'a'],
        ],
        fields: [['count', 1n]],
        timeNs: expect.any(BigInt),
      },
      {
        measurement: 'quarantine',
        tags: [
          ['reason', 'not_finite'],
          ['source', 'mqtt'],
        ],
        fields: [['count', 1n]],
        timeNs: expect.any(BigInt),
      },
    ]);
  });
});

it('what is refused of a registered sensor is counted for it in the store too, and is no failed check', async () => {
  const clock = movableClock();
  const parts = await openParts();
  for (const sensor of ['a', 'a', 'stranger']) await refuse(parts.spool, sensor);
  clock.forwardMs = 61_000;
  const { quality } = startQuality({ ...parts, clock, sensors: [sensorOf('a', {})] });
  const refused = async () =>
    (await parts.spool.take(0, 1e6)).entries
      .flatMap(({ points }) => points)
      .filter(({ measurement }) => measurement === 'quality')
      .map(({ tags, fields }) => [Object.fromEntries(tags), Object.fromEntries(fields)]);
  await soon(refused).toEqual([[{ check: 'refused', sensor: 'a' }, { count: 2n }]]);
  const filter = { sensors: [], checks: [], fromNs: 0n, toNs: clock.nowNs(), limit: 10 };
  expect(await quality.counts(filter)).toEqual([]);
});

describe('after a restart', () => {
  const settings = { 'quality.jumps': 'lat=5', 'quality.stuck': 'lat=1000' };
  const checksOf = async ({ counted }: ReturnType<typeof startQuality>) =>
    (await counted()).map(([, check, count]) => [check, count]);

  it('readings are compared with those before it, whatever the store knows, and those count no second time', async () => {
    const parts = { ...(await openParts()), settings };
    const first = startQuality(parts);
    const at = (ms: number) => nowNs() + BigInt(ms) * 1_000_000n;
    const repeated = readingOf('a', 95, at(0));
    await accept(parts.spool, [repeated, readingOf('b', 10, at(0)), readingOf('c', 20, at(0))]);
    await soon(() => checksOf(first)).toEqual([['latitude', 1]]);
    await first.quality.stop();
    const second = startQuality(parts);
    await accept(parts.spool, [repeated, readingOf('b', 16, at(1)), readingOf('c', 20, at(2000))]);
    await soon(() => checksOf(second)).toEqual([
      ['duplicate', 1],
      ['latitude', 2],
      ['jump', 1],
      ['stuck', 1],
    ]);
  });

  it('a sensor that was not heard of since is the same for its state as before', async () => {
    const parts = { ...(await openParts()), clock: movableClock() };
    const sensors = [
      sensorOf('a', { expectedIntervalMs: 3_600_000, createdNs: nowNs(), updatedNs: nowNs() }),
    ];
    const reading = readingOf('a', 1);
    const latest = [{ sensor: 'a', timeNs: reading.timeNs }];
    const first = startQuality({ ...parts, sensors, latest });
    await accept(parts.spool, [reading]);
    await first.counted();
    await first.quality.stop();
    const { metrics } = startQuality({ ...parts, sensors, latest });
    await soon(() => metricOf(metrics, 'tidemark_quality_tracked_sensors')).toBe(1);
    parts.clock.forwardMs = 60_000;
    const states = async () =>
      (await parts.spool.take(0, 1e6)).entries
        .flatMap(({ points }) => points)
        .filter(({ measurement }) => measurement === 'sensor_state')
        .map(({ fields }) => Object.fromEntries(fields));
    await soon(states).toMatchObject([{ up: 1, last_seen_s: expect.any(Number) }]);
  });

  it('a store that does not answer holds no check up', async () => {
    const parts = { ...(await openParts()), settings };
    const silent = vi.fn(() => Promise.reject(new Error('the store is down')));
    const { counted } = startQuality({ ...parts, latestOf: silent });
    await accept(parts.spool, [readingOf('a', 95)]);
    await soon(counted).toEqual([['a', 'latitude', 1]]);
    expect(silent).toHaveBeenCalled();
  });
});

it('each minute every sensor has its state, where it is and when it was heard of', async () => {
  const clock = movableClock();
  // No minute ends before the test moves it.
  clock.forwardMs = -Number((nowNs() / 1_000_000n) % 60_000n);
  const parts = await openParts();
  const stays = [{ location: 'hall', fromNs: 0n }];
  const sensors = [
    sensorOf('placed', { stays, expectedIntervalMs: 90_000, createdNs: nowNs(), updatedNs: nowNs() }),
    sensorOf('quiet', { expectedIntervalMs: 1000 }),
    sensorOf('gone', { state: 'retired' }),
  ];
  const hall = { id: 'hall', name: 'Hall', latitude: 52.5, longitude: 13.4 } as Location;
  const { counted } = startQuality({ ...parts, clock, sensors, locations: [hall] });
  await accept(parts.spool, [readingOf('placed', 1)]);
  await soon(counted).toContainEqual(['quiet', 'silence', expect.any(Number)]);
  clock.forwardMs += 60_000;
  const states = async () =>
    (await parts.spool.take(0, 1e6)).entries
      .flatMap(({ points }) => points)
      .filter(({ measurement }) => measurement === 'sensor_state')
      .map(({ tags, fields }) => ({ ...Object.fromEntries(tags), ...Object.fromEntries(fields) }));
  await soon(states).toEqual([
    {
      sensor: 'placed',
      location: 'hall',
      lat: 52.5,
      lon: 13.4,
      last_seen_s: expect.any(Number),
      expected_interval_s: 90,
      up: 1,
    },
    { sensor: 'quiet', last_seen_s: expect.any(Number), expected_interval_s: 1, up: 0 },
  ]);
  expect((await states())[0]?.last_seen_s).toBeGreaterThanOrEqual(60);
  const places = (await parts.spool.take(0, 1e6)).entries
    .flatMap(({ points }) => points)
    .filter(({ measurement }) => measurement === 'location_state')
    .map(({ tags, fields }) => ({ ...Object.fromEntries(tags), ...Object.fromEntries(fields) }));
  expect(places).toEqual([
    { location: 'hall', sensors: 1, up: 1, readings: 1 },
    { sensors: 1, up: 0, readings: 0 },
  ]);
});

it('a sensor that told of its end is down at once and until it reports again, also across a restart', async () => {
  const clock = movableClock();
  clock.forwardMs = -Number((nowNs() / 1_000_000n) % 60_000n);
  const parts = { ...(await openParts()), clock };
  const sensors = [sensorOf('a', {}), sensorOf('b', {})];
  const statesOfA = async () =>
    (await parts.spool.take(0, 1e6)).entries
      .flatMap(({ points }) => points)
      .filter(({ measurement, tags }) => measurement === 'sensor_state' && tags[0]![1] === 'a')
      .map(({ fields }) => Object.fromEntries(fields));
  const first = startQuality({ ...parts, sensors });
  const tags = tagsOf('a', undefined);
  const fields = [
    ['died', 1],
    ['up', 0],
  ] as const;
  const death = () => ({ measurement: 'sensor_state', tags, fields, timeNs: newTimeNs() });
  await accept(parts.spool, [readingOf('a', 1), readingOf('b', 1), death()]);
  await accept(parts.spool, [death()]);
  await soon(first.counted).toEqual([['a', 'silence', 1]]);
  clock.forwardMs += 60_000;
  const died = { died: 1, up: 0 };
  const diedBefore = { ...died, last_seen_s: expect.any(Number) };
  await soon(statesOfA).toEqual([died, died, diedBefore]);
  await first.quality.stop();

  const second = startQuality({ ...parts, sensors });
  await soon(() => metricOf(second.metrics, 'tidemark_quality_tracked_sensors')).toBe(2);
  clock.forwardMs += 60_000;
  await soon(statesOfA).toEqual([died, died, diedBefore, diedBefore]);
  expect(await second.counted()).toEqual([['a', 'silence', 1]]);
  await accept(parts.spool, [readingOf('a', 1)]);
  await second.counted();
  clock.forwardMs += 60_000;
  await soon(async () => (await statesOfA()).slice(4)).toEqual([{ up: 1, last_seen_s: expect.any(Number) }]);
});

describe('a sensor', () => {
  const minuteMs = 60_000;

  it('that sends nothing for three of its intervals is silent, once for each such time', async () => {
    const clock = movableClock();
    const silent = { expectedIntervalMs: 10 * minuteMs, createdNs: nowNs(), updatedNs: nowNs() };
    const sensors = [
      sensorOf('a', silent),
      sensorOf('b', silent),
      sensorOf('off', { ...silent, state: 'maintenance' }),
      sensorOf('whenever', { ...silent, expectedIntervalMs: undefined }),
    ];
    const parts = await openParts();
    const { counted, told } = startQuality({ ...parts, clock, sensors });
    await accept(parts.spool, [readingOf('b', 1)]);
    expect(await counted()).toEqual([]);
    clock.forwardMs = 29 * minuteMs;
    await accept(parts.spool, [readingOf('b', 1, clock.nowNs())], clock.nowNs());
    expect(await counted()).toEqual([]);
    clock.forwardMs = 31 * minuteMs;
    await soon(counted).toEqual([['a', 'silence', 1]]);
    clock.forwardMs = 61 * minuteMs;
    await soon(counted).toEqual([
      ['a', 'silence', 2],
      ['b', 'silence', 1],
    ]);
    expect(told.map(({ id, state }) => [id, state])).toEqual([
      ['device_integrity:a', 'open'],
      ['device_integrity:b', 'open'],
    ]);
  });

  it('that never comes back after a restart is counted; the time in between is not its silence', async () => {
    const clock = movableClock();
    const interval = { expectedIntervalMs: 10 * minuteMs, createdNs: 0n, updatedNs: 0n };
    const sensors = [sensorOf('a', interval), sensorOf('b', interval)];
    const latest = ['a', 'b'].map((sensor) => ({ sensor, timeNs: nowNs() }));
    const parts = await openParts();
    const first = startQuality({ ...parts, clock, sensors, latest });
    await accept(parts.spool, [readingOf('a', 1)]);
    await first.counted();
    await first.quality.stop();
    // So long that its silence would be counted twice in what follows, if it were one.
    clock.forwardMs = (10 * 60 + 29.5) * minuteMs;
    const { counted } = startQuality({ ...parts, clock, sensors, latest });
    clock.forwardMs += 31 * minuteMs;
    await accept(parts.spool, [readingOf('b', 1, clock.nowNs())], clock.nowNs());
    await soon(counted).toContainEqual(['a', 'silence', expect.any(Number)]);
    expect((await counted()).filter(([sensor]) => sensor === 'a')).toEqual([['a', 'silence', 1]]);
  });

  it('that fails often is one incident, told with its owner, until it recovers', async () => {
    const clock = movableClock();
    const parts = await openParts();
    const sensors = [sensorOf('a', { owner: 'the boiler room' })];
    const { told, counted } = startQuality({ ...parts, clock, sensors });
    for (const _ of range(0, 3)) await accept(parts.spool, [readingOf('a', 100)]);
    await refuse(parts.spool, 'a');
    await counted();
    expect(told).toEqual([]);
    for (const _ of range(0, 20)) await accept(parts.spool, [readingOf('a', 100)]);
    await soon(() => told).toHaveLength(1);
    expect(told[0]).toMatchObject({ id: 'device_integrity:a', subject: 'a', state: 'open' });
    expect(told[0]!.message).toMatch(
      /^sensor a \(owner: the boiler room\) needs to be checked: 5 failures since .*: latitude ×4, not_finite ×1$/,
    );
    await soon(counted).toEqual([['a', 'latitude', 23]]);
    clock.forwardMs = 11 * minuteMs;
    await counted();
    expect(told).toHaveLength(1);
    await accept(parts.spool, [readingOf('a', 1, clock.nowNs())], clock.nowNs());
    await soon(() => told.map(({ state }) => state)).toEqual(['open', 'recovered']);
  });

  it('is told once over restarts, also of what began to fail before', async () => {
    const parts = await openParts();
    const first = startQuality(parts);
    for (const sensor of ['a', 'a', 'a', 'a', 'a', 'b', 'b', 'b'])
      await accept(parts.spool, [readingOf(sensor, 100)]);
    await first.counted();
    await soon(() => first.told.map(({ subject }) => subject)).toEqual(['a']);
    await first.quality.stop();
    const second = startQuality(parts);
    for (const sensor of ['a', 'a', 'a', 'a', 'a', 'b', 'b'])
      await accept(parts.spool, [readingOf(sensor, 100)]);
    await soon(() => second.told.map(({ subject }) => subject)).toEqual(['b']);
  });

  it('whose old data fail sends nobody to it: a recording of years ago may be replayed', async () => {
    const parts = await openParts();
    const { told, counted } = startQuality(parts);
    const hourAgoNs = nowNs() - 3_600_000_000_000n;
    for (const n of range(0, 20)) await accept(parts.spool, [readingOf('a', 100, hourAgoNs + BigInt(n))]);
    await soon(counted).toContainEqual(['a', 'latitude', 20]);
    expect(told).toEqual([]);
  });
});

it('a flood of sensors that all fail takes bounded memory, and none of it goes uncounted', async () => {
  const parts = await openParts();
  const { quality, metrics } = startQuality({ ...parts, settings: { 'quality.maxSensors': 1000 } });
  const sensors = 30_000;
  for (let start = 0; start < sensors; start += 5000)
    await accept(
      parts.spool,
      range(start, start + 5000).map((n) => readingOf(`s${n}`, 100)),
    );
  const read = () => metricOf(metrics, 'tidemark_quality_failures_total');
  await soon(read).toBe(sensors);
  const counts = await quality.counts({ ...all, limit: 1e6 });
  expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(sensors);
  // The minute may have changed meanwhile, and each has 10 000 of its own.
  expect(counts.length).toBeLessThanOrEqual(20_001);
  expect(counts.find(({ sensor }) => sensor === '#others')?.count).toBeGreaterThan(0);
  expect(await metricOf(metrics, 'tidemark_quality_tracked_sensors')).toBeLessThanOrEqual(1000);
  expect(await metricOf(metrics, 'tidemark_quality_forgotten_sensors_total')).toBeGreaterThan(0);
});

/** The system's clock, that a test can put forward. */
function movableClock(): Clock & { forwardMs: number } {
  return {
    forwardMs: 0,
    nowNs() {
      return systemClock.nowNs() + BigInt(this.forwardMs) * 1_000_000n;
    },
    monotonicMs() {
      return systemClock.monotonicMs() + this.forwardMs;
    },
  };
}
