import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, NS_PER_SECOND, type Point, PointColumns } from '@tidemark/core';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startEngine } from '../testing/start-engine.ts';
import {
  bruteForceWindows,
  rounded,
  type SentPosition,
  sortedTracks,
  travellerPoints,
} from '../testing/travellers.ts';
import type { Engine } from './engine.ts';
import { TravellerCache } from './traveller-cache.ts';
import { gridOf, TravellerWindows } from './traveller-windows.ts';

const minuteNs = 60n * NS_PER_SECOND;
const gapNs = 60n * minuteNs;
const startNs = 28_000_020n * minuteNs;

const position = fc.record({
  type: fc.constantFrom('car', 'pedestrian'),
  traveller: fc.constantFrom('a', 'b', 'c'),
  timeNs: fc.integer({ min: 0, max: 4 * 3600 }).map((second) => startNs + BigInt(second) * NS_PER_SECOND),
  x: fc.integer({ min: -50, max: 50 }),
  y: fc.integer({ min: -50, max: 50 }),
});

const minutes = (min: number, max: number) => fc.integer({ min, max }).map((n) => BigInt(n) * minuteNs);
const question = fc.record({
  fromNs: fc.oneof(minutes(-90, 120), fc.bigInt(0n, 60n * minuteNs)).map((ns) => startNs + ns),
  toNs: fc.oneof(minutes(121, 300), fc.bigInt(121n * minuteNs, 200n * minuteNs)).map((ns) => startNs + ns),
  everyNs: minutes(1, 45),
  lengthNs: minutes(1, 60),
  types: fc.constantFrom([], [], ['car']),
  /** All of them that there are in this run, or by name. */
  isNamed: fc.boolean(),
});

let engine: Engine;
let folder: string;
let runs = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-cache-'));
  engine = await startEngine(loadConfig({ overrides: { dataDir: folder } }));
});
afterAll(async () => {
  await engine.stop();
  rmSync(folder, { recursive: true });
});

/** Points as text, to tell which are new. */
const textOf = ({ tags, fields, timeNs }: Point) => JSON.stringify([tags, fields, String(timeNs)]);

it('answers as if it had nothing, whatever is written in between', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.array(position, { minLength: 1, maxLength: 6 }), question), {
        minLength: 4,
        maxLength: 12,
      }),
      async (steps) => {
        // Each run has a day of its own, so that questions about all sensors find its own alone.
        const shiftNs = BigInt(runs) * 86_400n * NS_PER_SECOND;
        const sensor = `camera-${runs++}`;
        let sent: SentPosition[] = [];
        let known = new Set<string>();
        for (const step of steps) {
          if (Array.isArray(step)) {
            sent = [...sent, ...step.map((one) => ({ ...one, sensor, timeNs: one.timeNs + shiftNs }))];
            const points = travellerPoints(sortedTracks(sent, gapNs).map((track) => track));
            const changed = points.filter((point) => !known.has(textOf(point)));
            known = new Set(points.map(textOf));
            expect(await engine.write(changed)).toEqual([]);
          } else {
            const { isNamed, ...shape } = step;
            const range = { fromNs: step.fromNs + shiftNs, toNs: step.toNs + shiftNs };
            const query = { ...shape, ...range, gapNs, ...(isNamed ? { sensors: [sensor] } : {}) };
            const expected = bruteForceWindows(sortedTracks(sent, gapNs), query);
            expect(rounded(await engine.travellerWindows(query))).toEqual(rounded(expected));
          }
        }
      },
    ),
    { numRuns: 25 },
  );
});

it('asks for what it does not know alone, and forgets what is written to', async () => {
  const asked: string[] = [];
  const hour = (n: bigint) => startNs + n * 60n * minuteNs;
  const cache = new TravellerCache({
    compute: async (query) => {
      asked.push(`${(query.fromNs - startNs) / minuteNs}-${(query.toNs - startNs) / minuteNs}`);
      const windows = new TravellerWindows(gridOf(query), query);
      windows.addStarts('gate', 'car', startNs / minuteNs, 1);
      return windows;
    },
  });
  const ask = async () => {
    asked.length = 0;
    const query = {
      fromNs: startNs,
      toNs: hour(4n),
      everyNs: 60n * minuteNs,
      lengthNs: 60n * minuteNs,
      gapNs,
    };
    return Array.from(await cache.answer(query), ({ count }) => count);
  };
  expect(await ask()).toEqual([1, 0, 0, 0]);
  expect(asked).toEqual(['0-240']);
  expect(await ask()).toEqual([1, 0, 0, 0]);
  expect(asked).toEqual([]);
  const [point] = travellerPoints([
    [
      {
        sensor: 'gate',
        type: 'car',
        traveller: 'a',
        timeNs: hour(2n),
        x: 0,
        y: 0,
        elapsedNs: 31n * minuteNs,
        speed: 1,
      },
    ],
  ]);
  cache.noteWritten(PointColumns.of([point!]));
  await ask();
  expect(asked).toEqual(['60-150']);
});

it('works blocks out ahead of questions once they are over and nothing is written to them', async () => {
  const asked: string[] = [];
  const cache = new TravellerCache({
    compute: async (query) => {
      asked.push(`${(query.fromNs - startNs) / minuteNs}-${(query.toNs - startNs) / minuteNs}`);
      return new TravellerWindows(gridOf(query), query);
    },
  });
  const write = (minute: bigint) => {
    const timeNs = startNs + minute * minuteNs;
    const at = {
      sensor: 'gate',
      type: 'car',
      traveller: 'a',
      timeNs,
      x: 0,
      y: 0,
      elapsedNs: 0n,
      speed: 0,
    };
    cache.noteWritten(PointColumns.of(travellerPoints([[at]])));
  };
  const nowNs = startNs + 70n * minuteNs;
  const work = async () => {
    asked.length = 0;
    await cache.workAhead({ nowNs, gapNs });
    return asked;
  };
  for (const minute of [5n, 35n, 65n]) write(minute);
  expect(await work()).toEqual([]);
  write(36n);
  expect(await work()).toEqual(['0-30']);
  // The newest is not over; the one before is quiet now.
  expect(await work()).toEqual(['30-60']);
  expect(await work()).toEqual([]);

  const length = 30n * minuteNs;
  await cache.answer({ fromNs: startNs, toNs: nowNs, everyNs: length, lengthNs: length, gapNs });
  expect(asked).toEqual(['60-70']);
  write(5n);
  expect([...(await work())]).toEqual([]);
  expect(await work()).toEqual(['0-30']);
});
