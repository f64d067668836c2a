import {
  createMetrics,
  loadConfig,
  type Point,
  pointToReading,
  READINGS,
  type Reading,
  silentLogger,
  systemClock,
  TidemarkError,
  tagOf,
} from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { recordKinds } from '../spool/record.ts';
import type { Spool } from '../spool/spool.ts';
import { appendPoints, metricOf, startRegistry, startSpool } from '../testing/test-parts.ts';
import { Deriver } from './deriver.ts';

const SECOND_NS = 1_000_000_000n;
/** Time enough has passed to save, whenever it is asked. */
const hastyClock = () => {
  let ms = 0;
  return { nowNs: () => systemClock.nowNs(), monotonicMs: () => (ms += 10_000) };
};

/** A store that holds what it was last flushed, as it stands in the log. */
class LogStore {
  readonly #spool: Spool;
  #points: Point[] = [];
  #position = 0;
  isDown = false;
  questions = 0;

  constructor(spool: Spool) {
    this.#spool = spool;
  }

  async flush(): Promise<number> {
    if (this.isDown) return 1;
    while (this.#position < this.#spool.endOffset) {
      const { entries, nextOffset } = await this.#spool.take(this.#position, 1e9);
      for (const { columns, firstPoint, pointEnd } of entries)
        this.#points.push(...columns.toArray(firstPoint, pointEnd));
      this.#position = nextOffset;
    }
    return 0;
  }

  readonly engine: Pick<Engine, 'readings' | 'latest'> = {
    readings: async ({ sensors = [], metrics = [], fromNs, toNs, order, limit, after }) => {
      this.questions++;
      if (this.isDown) throw new TidemarkError('store_unavailable', 'down', { retryable: true });
      const all = [...this.merged().values()]
        .map(({ values, ...rest }) => ({
          ...rest,
          values: values.filter(([metric]) => metrics.length === 0 || metrics.includes(metric)),
        }))
        .filter(({ sensor, timeNs, values }) => {
          const isWanted = sensors.length === 0 || sensors.includes(sensor);
          return isWanted && values.length > 0 && timeNs >= fromNs && timeNs < toNs;
        });
      const compare = (a: Pick<Reading, 'timeNs' | 'sensor'>, b: Pick<Reading, 'timeNs' | 'sensor'>) =>
        Number(a.timeNs - b.timeNs) || (a.sensor < b.sensor ? -1 : Number(a.sensor > b.sensor));
      all.sort(order === 'asc' ? compare : (a, b) => compare(b, a));
      return all.filter((one) => after === undefined || compare(one, after) > 0).slice(0, limit);
    },
    latest: async () => [],
  };

  /** By sensor and time. */
  merged(): Map<string, Reading> {
    const readings = new Map<string, Reading>();
    for (const point of this.#points) {
      if (point.measurement !== READINGS) continue;
      const reading = pointToReading(point);
      const id = `${reading.sensor}@${reading.timeNs}`;
      const values = new Map([...(readings.get(id)?.values ?? []), ...reading.values]);
      readings.set(id, { ...reading, values: [...values] });
    }
    return readings;
  }
}

async function start(derived: Record<string, unknown>[], settings: Record<string, unknown> = {}) {
  const { spool } = await startSpool();
  const registrar = await startRegistry();
  const store = new LogStore(spool);
  const metrics = createMetrics();
  const config = loadConfig({ overrides: { derived, ...settings } });
  const create = async (registry = createMetrics()) => {
    const deriver = new Deriver({
      config,
      clock: hastyClock(),
      logger: silentLogger,
      metrics: registry,
      spool,
      engine: store.engine,
      registrar,
      freshness: store,
    });
    await deriver.start();
    return deriver;
  };
  let deriver = await create(metrics);
  onTestFinished(() => deriver.stop());
  const send = async (...points: Point[]): Promise<void> => {
    for (const { tags } of points) {
      const sensor = tagOf(tags, 'sensor')!;
      if (registrar.sensor(sensor) === undefined) registrar.register(sensor, undefined, ['n']);
    }
    await appendPoints(spool, points);
  };
  const caughtUp = (): Promise<void> =>
    expect
      .poll(() => spool.cursor('derived') === spool.endOffset, { timeout: 20_000, interval: 5 })
      .toBe(true);
  const restart = async (): Promise<void> => {
    await deriver.stop();
    deriver = await create();
  };
  /** By sensor and second. */
  const values = async (metric: string): Promise<Record<string, unknown>> => {
    await caughtUp();
    await store.flush();
    return Object.fromEntries(
      [...store.merged().values()]
        .map(({ sensor, timeNs, values: held }) => [
          `${sensor}@${timeNs / SECOND_NS}`,
          new Map(held).get(metric),
        ])
        .filter(([, value]) => value !== undefined)
        .sort(),
    );
  };
  return { spool, store, registrar, metrics, send, restart, values, caughtUp, current: () => deriver };
}

function reading(sensor: string, seconds: number, fields: Record<string, number | string>): Point {
  return {
    measurement: READINGS,
    tags: [['sensor', sensor]],
    fields: Object.entries(fields),
    timeNs: BigInt(seconds) * SECOND_NS,
  };
}

it('computes expressions over a reading, and nothing where there is no finite value', async () => {
  const dewPoint = { metric: 'sum', unit: '°C', sensors: 'a*', expression: 'temperature / humidity' };
  const { send, values, registrar, metrics } = await start([dewPoint]);
  await send(
    reading('a1', 1, { temperature: 20, humidity: 40 }),
    reading('a1', 2, { temperature: 20 }),
    reading('b1', 3, { temperature: 20, humidity: 40 }),
    reading('a2', 4, { temperature: 20, humidity: 0 }),
    reading('a2', 5, { temperature: 20, humidity_text: 'wet' }),
  );
  expect(await values('sum')).toEqual({ 'a1@1': 0.5 });
  expect(registrar.sensor('a1')!.metrics.sum).toEqual({ unit: '°C', derived: true });
  expect(await metricOf(metrics, 'tidemark_derived_undefined_values_total')).toBe(1);
});

it('derives rates, increases of counters, and speeds', async () => {
  const { send, values } = await start([
    { metric: 'flow', rate: 'volume', per: '1m' },
    { metric: 'used', counter: 'pulses' },
    { metric: 'wrapped', counter: 'pulses', wrapsAt: 100, per: '1h' },
    { metric: 'velocity', speed: ['x', 'y'], by: 'who', within: '10s' },
  ]);
  await send(
    reading('a', 10, { volume: 5, pulses: 90 }),
    reading('a', 20, { volume: 4, pulses: 95 }),
    reading('a', 30, { volume: 4, pulses: 15 }),
  );
  for (const [second, x, y, who_text] of [
    [1, 0, 0, 'ann'],
    [2, 100, 0, 'bob'],
    [3, 6, 8, 'ann'],
    [20, 6, 8, 'ann'],
    [21, 6, 9, 'ann'],
  ] as const)
    await send(reading('cam', second, { x, y, who_text }));
  expect(await values('flow')).toEqual({ 'a@20': -6, 'a@30': 0 });
  expect(await values('used')).toEqual({ 'a@20': 5, 'a@30': 15 });
  expect(await values('wrapped')).toEqual({ 'a@20': 1800, 'a@30': 7200 });
  expect(await values('velocity')).toEqual({ 'cam@21': 1, 'cam@3': 5 });
});

it('is one and the same, in whatever order readings came, and whenever it ended', {
  timeout: 120_000,
}, async () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ sensor: fc.constantFrom('a', 'b'), second: fc.nat(40), n: fc.integer() }),
    },
    { weight: 1, arbitrary: fc.constant('restart' as const) },
    { weight: 1, arbitrary: fc.constant('outage' as const) },
    { weight: 2, arbitrary: fc.constant('pause' as const) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(1, 10),
      fc.array(step, { maxLength: 80, minLength: 20, size: 'max' }),
      async (maxSeries, steps) => {
        const test = await start([{ metric: 'change', rate: 'n', within: '6s' }], {
          'derivation.maxSeries': maxSeries,
        });
        const sent = new Map<string, number>();
        for (const one of steps) {
          if (one === 'restart') await test.restart();
          else if (one === 'outage') test.store.isDown = !test.store.isDown;
          else if (one === 'pause') await new Promise((resolve) => setTimeout(resolve, 25));
          else {
            sent.set(`${one.sensor}@${one.second}`, one.n);
            await test.send(reading(one.sensor, one.second, { n: one.n }));
          }
        }
        test.store.isDown = false;
        expect(await test.values('change')).toEqual(bruteForce(sent, 6));
        await test.current().stop();
      },
    ),
    { numRuns: 12 },
  );
});

function bruteForce(sent: ReadonlyMap<string, number>, within: number): Record<string, number> {
  const expected: Record<string, number> = {};
  for (const sensor of ['a', 'b']) {
    const times = [...sent.keys()].filter((id) => id.startsWith(sensor)).map((id) => Number(id.slice(2)));
    times.sort((a, b) => a - b);
    times.forEach((second, index) => {
      const before = times[index - 1];
      if (before === undefined || second - before > within) return;
      const change = sent.get(`${sensor}@${second}`)! - sent.get(`${sensor}@${before}`)!;
      expected[`${sensor}@${second}`] = change / (second - before);
    });
  }
  return expected;
}

it('asks the store for what came before the oldest reading that it knows', async () => {
  const { send, values, metrics } = await start([{ metric: 'change', rate: 'n' }]);
  for (let second = 1; second <= 10; second++) await send(reading('a', second, { n: second }));
  await values('change');
  for (const second of [1, 2, 3, 4]) {
    await send(reading('a', second, { n: second * 10 }));
    await values('change');
  }
  expect(await values('change')).toMatchObject({ 'a@2': 10, 'a@3': 10, 'a@4': 10, 'a@5': -35, 'a@6': 1 });
  expect(await metricOf(metrics, 'tidemark_derived_store_lookups_total')).toBeGreaterThan(1);
});

it('asks the store about nothing that comes in order', async () => {
  const { send, values, store, metrics } = await start([{ metric: 'change', rate: 'n' }]);
  for (let second = 1; second <= 50; second++) await send(reading('a', second, { n: second * 2 }));
  expect(Object.values(await values('change'))).toEqual(new Array(49).fill(2));
  expect(await metricOf(metrics, 'tidemark_derived_store_lookups_total')).toBe(1);
  const { questions } = store;
  for (let second = 51; second <= 80; second++) await send(reading('a', second, { n: second * 2 }));
  expect(Object.keys(await values('change'))).toHaveLength(79);
  expect(store.questions).toBe(questions);
});

it('goes on in memory while the store is down, and holds the log for what it cannot say', async () => {
  const { send, values, store, spool } = await start([{ metric: 'change', rate: 'n' }]);
  await send(reading('a', 1, { n: 1 }));
  await values('change');
  store.isDown = true;
  const offset = spool.endOffset;
  await send(reading('late', 1, { n: 1 }), reading('late', 3, { n: 5 }));
  await send(reading('a', 2, { n: 4 }));
  const written = async () =>
    (await spool.take(0, 1e6)).entries
      .flatMap(({ points }) => points)
      .filter(({ fields }) => fields[0]![0] === 'change');
  await expect.poll(written, { timeout: 20_000 }).toHaveLength(1);
  expect(spool.cursor('derived')).toBe(offset);
  store.isDown = false;
  expect(await values('change')).toEqual({ 'a@2': 3, 'late@3': 2 });
});

it('marks what follows from late readings as late, and no more', async () => {
  const { spool, send, values } = await start([{ metric: 'change', rate: 'n' }]);
  await send(reading('a', 1, { n: 1 }), reading('a', 5, { n: 5 }));
  await values('change');
  await new Promise<void>((resolve) => {
    const late = [reading('a', 3, { n: 1 })];
    const text = 'readings,sensor=a n=1 3000000000';
    spool.append(recordKinds.latePoints, systemClock.nowNs(), text, late, () => resolve());
  });
  expect(await values('change')).toEqual({ 'a@3': 0, 'a@5': 2 });
  const { entries } = await spool.take(0, 1e6);
  const late = entries.filter(({ isLate }) => isLate).flatMap(({ points }) => points);
  expect(late.map(({ fields }) => fields)).toEqual([[['n', 1]], [['change', 0]]]);
});

it('derives for a sensor that the registry has forgotten in a crash', async () => {
  const { spool, values } = await start([{ metric: 'twice', expression: 'n * 2' }]);
  await appendPoints(spool, [reading('a', 1, { n: 1 })]);
  expect(await values('twice')).toEqual({ 'a@1': 2 });
});

it('holds nothing of the log where nothing is derived', async () => {
  const { spool, current } = await start([]);
  await appendPoints(spool, [reading('a', 1, { n: 1 })]);
  expect(spool.cursor('derived')).toBe(Number.POSITIVE_INFINITY);
  expect(current().health()).toEqual([]);
});

it.each([
  [{ metric: 'm' }, 'derived.0.metric: needs exactly one of'],
  [{ metric: 'm', rate: 'a', counter: 'b' }, 'derived.0.metric: needs exactly one of'],
  [{ metric: 'm', rate: 'm' }, 'derived.0.rate: m is a derived metric itself'],
  [{ metric: 'm/n', rate: 'a' }, 'derived.0.metric: a metric’s name'.replace('’', "'")],
  [{ metric: 'm', rate: 'a', wrapsAt: 5 }, 'derived.0.wrapsAt: is for a counter'],
  [{ metric: 'm', expression: 'a', per: '1s' }, 'derived.0.expression: is of one reading'],
  [{ metric: 'm', rate: 'a', within: 'long' }, 'derived.0.within: must be a duration'],
  [{ metric: 'm', expression: 'a +' }, 'derived.0.expression: it ends too early'],
  [{ metric: 'm', expression: 'a + m' }, 'derived.0.expression: m is a derived metric itself'],
])('refuses %o', async (derived, message) => {
  await expect(start([derived])).rejects.toThrow(message);
});
