import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics, loadConfig, type Point, PointColumns, systemClock, TRAVELLERS } from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import {
  bruteForceStays,
  bruteForceWindows,
  findInfluxd,
  type Influxd,
  requireTool,
  rounded,
  type SentPosition,
  sortedTracks,
  startEngine,
  startInfluxd,
} from '@tidemark/store/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { positionPoint } from '../decoders/travellers.ts';
import { storedPositions } from './stored-positions.ts';
import { TravellerPoints } from './traveller-points.ts';

const S = 1_000_000_000n;
const stayGapMs = 60_000;
const gapNs = 60n * S;
const startNs = 1_700_000_000n * S;

/** Writes batches as the batch writer does. */
class Writer {
  readonly #engine: Engine;
  #points: TravellerPoints;
  readonly #maxPositions: number;

  constructor(engine: Engine, maxPositions = 10_000) {
    this.#engine = engine;
    this.#maxPositions = maxPositions;
    this.#points = this.#open();
  }

  #open(): TravellerPoints {
    const maxPositions = this.#maxPositions;
    return new TravellerPoints({
      engine: this.#engine,
      clock: systemClock,
      metrics: createMetrics(),
      stayGapMs,
      maxPositions,
    });
  }

  /** As after a restart. */
  restart(): void {
    this.#points = this.#open();
  }

  async write(batch: readonly SentPosition[]): Promise<PointColumns> {
    const points = await this.#points.derive(PointColumns.of(batch.map(toPoint)));
    expect(await this.#engine.write(points)).toEqual([]);
    return points;
  }

  /** A write of which only the first so many points reach the store. */
  async fail(batch: readonly SentPosition[], written: number): Promise<void> {
    const points = await this.#points.derive(PointColumns.of(batch.map(toPoint)));
    await this.#engine.write(points.toArray(0, written));
    this.#points.forgetTouched();
  }
}

function toPoint({ sensor, type, timeNs, ...position }: SentPosition): Point {
  const tags = [
    ['sensor', sensor],
    ['type', type],
  ] as const;
  return positionPoint(position, tags, timeNs);
}

/** What the sorted positions come to. */
function expected(sent: readonly SentPosition[]): string[] {
  return sortedTracks(sent, gapNs)
    .flat()
    .map((one) => told(one, Number(one.elapsedNs), one.speed))
    .sort();
}

function told(
  { type, traveller, timeNs, x, y }: Omit<SentPosition, 'sensor'>,
  elapsedNs: number,
  speed: number,
): string {
  return `${timeNs} ${type} ${traveller} at ${x + 0},${y + 0} after ${elapsedNs} at ${speed}`;
}

async function stored(engine: Engine, sensor: string): Promise<{ told: string[]; slots: number }> {
  const all: string[] = [];
  const slots = new Set<number>();
  const range = { sensors: [sensor], fromNs: 0n, toNs: 2n ** 62n, sliceNs: 2n ** 62n };
  for await (const [, one] of storedPositions(engine, range)) {
    all.push(told(one, one.elapsedNs, one.speed));
    slots.add(one.slot);
  }
  return { told: all.sort(), slots: slots.size };
}

const position = fc.record({
  sensor: fc.constant(''),
  type: fc.constantFrom('car', 'pedestrian'),
  traveller: fc.constantFrom('a', 'b', 'c', 'd'),
  timeNs: fc.oneof(
    fc.integer({ min: 0, max: 30 }).map((s) => startNs + BigInt(s) * S),
    fc.integer({ min: 0, max: 600 }).map((s) => startNs + BigInt(s) * S),
    // Days apart, and a nanosecond.
    fc.integer({ min: 0, max: 3 }).map((n) => startNs + BigInt(n) * 86_400n * S + BigInt(n)),
  ),
  x: fc.oneof(fc.integer({ min: -50, max: 50 }), fc.double({ noNaN: true, noDefaultInfinity: true })),
  y: fc.integer({ min: -50, max: 50 }),
});

const step = fc.oneof(
  { weight: 6, arbitrary: fc.array(position, { minLength: 1, maxLength: 12 }) },
  { weight: 1, arbitrary: fc.constant('restart' as const) },
  {
    weight: 1,
    arbitrary: fc.record({ batch: fc.array(position, { minLength: 1, maxLength: 12 }), written: fc.nat(6) }),
  },
);

const seconds = (min: number, max: number) => fc.integer({ min, max }).map((n) => BigInt(n) * S);

/** Windows of any length and step over some of the time, cut anywhere; some longer than the silence that ends a stay. */
const windows = fc
  .record({
    fromNs: fc.oneof(seconds(-60, 60), fc.bigInt(-S, 100n * S)).map((ns) => startNs + ns),
    toNs: fc.oneof(seconds(101, 700), fc.bigInt(101n * S, 200n * S)).map((ns) => startNs + ns),
    everyNs: fc.oneof(seconds(1, 90), fc.bigInt(S, 60n * S)),
    lengthNs: fc.oneof(seconds(1, 200), fc.bigInt(S, 60n * S)),
    types: fc.constantFrom([], ['car'], ['car', 'pedestrian']),
  })
  .map((query) =>
    gcd(query.everyNs, query.lengthNs) < S / 10n ? { ...query, lengthNs: query.everyNs } : query,
  );

function gcd(one: bigint, other: bigint): bigint {
  return other === 0n ? one : gcd(other, one % other);
}

let runs = 0;

function contract(open: () => Promise<Engine>, numRuns: number): void {
  let engine: Engine;
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => engine.stop());

  it.each([
    ['with room for all', 10_000],
    ['with room for hardly any', 5],
  ])(
    'whatever the order, what is stored is what the sorted positions come to, %s',
    async (_, maxPositions) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 1, maxLength: 8 }),
          fc.array(windows, { minLength: 2, maxLength: 2 }),
          async (steps, queries) => {
            const sensor = `camera-${runs++}`;
            const writer = new Writer(engine, maxPositions);
            const sent: SentPosition[] = [];
            for (const one of steps) {
              if (one === 'restart') writer.restart();
              else if (Array.isArray(one)) {
                const batch = one.map((item) => ({ ...item, sensor }));
                await writer.write(batch);
                sent.push(...batch);
              } else {
                const batch = one.batch.map((item) => ({ ...item, sensor }));
                await writer.fail(batch, one.written);
                await writer.write(batch);
                sent.push(...batch);
              }
            }
            const found = await stored(engine, sensor);
            expect(found.told).toEqual(expected(sent));
            // As many as there are travellers of a type, at most.
            expect(found.slots).toBeLessThanOrEqual(4);
            const tracks = sortedTracks(sent, gapNs);
            for (const query of queries.map((one) => ({ ...one, gapNs, sensors: [sensor] }))) {
              const found = rounded(await engine.travellerWindows(query));
              expect(found).toEqual(rounded(bruteForceWindows(tracks, query)));
              const stays = await engine.travellerStays({ ...query, order: 'asc', limit: 1000 });
              expect(rounded(stays)).toEqual(rounded(bruteForceStays(tracks, query)));
              const latest = await engine.travellerStays({ ...query, order: 'desc', limit: 1000 });
              expect(latest).toEqual(stays.toReversed());
            }
          },
        ),
        { numRuns },
      );
    },
  );

  it('two travellers of one type at one instant are two points, however often they are sent', async () => {
    const sensor = 'crossing';
    const at = (traveller: string): SentPosition => ({
      sensor,
      type: 'car',
      traveller,
      timeNs: startNs,
      x: 1,
      y: 1,
    });
    const writer = new Writer(engine);
    await writer.write([at('one')]);
    await writer.write([at('two'), at('one')]);
    writer.restart();
    await writer.write([at('two'), at('two')]);
    await writer.write([at('one')]);
    expect(await stored(engine, sensor)).toMatchObject({ told: { length: 2 }, slots: 2 });
  });

  it('leaves other points where they are', async () => {
    const other: Point = {
      measurement: 'readings',
      tags: [['sensor', 's']],
      fields: [['n', 1]],
      timeNs: startNs,
    };
    const points = [
      other,
      toPoint({ sensor: 'mixed', type: 'car', traveller: 'a', timeNs: startNs, x: 0, y: 0 }),
      other,
    ];
    const derived = await new TravellerPoints({
      ...loadConfig().travellers,
      engine,
      clock: systemClock,
      metrics: createMetrics(),
    }).derive(PointColumns.of(points));
    expect(derived.toArray().map(({ measurement }) => measurement)).toEqual([
      'readings',
      TRAVELLERS,
      'readings',
    ]);
  });
}

async function openStore(settings: Record<string, unknown>): Promise<Engine> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tidemark-travellers-'));
  folders.push(dataDir);
  return startEngine(loadConfig({ overrides: { dataDir, ...settings } }));
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

describe('on the embedded store', () => {
  contract(() => openStore({}), 20);
});

const binary = findInfluxd();
describe.skipIf(!requireTool('influxd', binary))('on InfluxDB', () => {
  let influxd: Influxd | undefined;
  beforeAll(async () => {
    influxd = await startInfluxd(binary!);
  }, 60_000);
  afterAll(async () => influxd?.stop());

  contract(async () => {
    const { url, token, org, createBucket } = influxd!;
    await createBucket('travellers');
    return openStore({
      'store.kind': 'influxdb',
      'influx.url': url,
      'influx.token': token,
      'influx.org': org,
      'influx.bucket': 'travellers',
    });
  }, 8);
});
