import {
  type MetricValue,
  NS_PER_SECOND,
  type Point,
  type Reading,
  readingToPoint,
  type Window,
} from '@tidemark/core';
import { afterEach, beforeEach } from 'vitest';
import type { Engine, ReadingsQuery, WindowsQuery } from '../../src/engine.ts';
import type { TypePolicy } from '../../src/type-policy.ts';

/** One engine with an empty store of its own. */
export interface OpenedEngine {
  /** Started. */
  engine: Engine;
  /** Stops the engine and starts a new one on the same data. */
  reopen(): Promise<Engine>;
  /** Stops the engine and removes its data. */
  close(): Promise<void>;
}

export interface EngineSource {
  open(options: { typePolicy: TypePolicy }): Promise<OpenedEngine>;
}

/** The engine of the running test. */
export interface Subject {
  readonly engine: Engine;
  reopen(): Promise<void>;
  /** Writes readings, and fails unless all of them are taken. */
  write(...readings: Reading[]): Promise<void>;
  /** All readings in order, or those asked for. */
  readings(query?: Partial<ReadingsQuery>): Promise<Reading[]>;
  windows(query?: Partial<WindowsQuery>): Promise<Window[]>;
}

/** Opens an engine before each test, and closes it afterwards. */
export function useEngine(source: EngineSource, typePolicy: TypePolicy = 'quarantine'): Subject {
  let opened: OpenedEngine | undefined;
  let current: Engine | undefined;
  const engine = () => {
    if (current === undefined) throw new Error('the engine is there only while a test runs');
    return current;
  };
  beforeEach(async () => {
    opened = await source.open({ typePolicy });
    current = opened.engine;
  });
  afterEach(async () => {
    await opened?.close();
    opened = undefined;
    current = undefined;
  });
  return {
    get engine() {
      return engine();
    },
    reopen: async () => {
      current = await opened?.reopen();
    },
    write: async (...readings) => {
      const rejected = await engine().write(readings.map(readingToPoint));
      if (rejected.length > 0) throw new Error(`rejected: ${JSON.stringify(rejected)}`);
    },
    readings: (query) => engine().readings({ ...everything, ...query }),
    windows: async (query) => [...(await engine().windows({ ...hourly, ...query }))],
  };
}

/** 2024-03-01T00:00:00Z, a whole hour and day. */
export const baseNs = 1_709_251_200n * NS_PER_SECOND;

const everything: ReadingsQuery = { fromNs: 0n, toNs: 2n ** 63n - 1n, order: 'asc', limit: 100_000 };

const hourly: WindowsQuery = {
  fromNs: baseNs,
  toNs: baseNs + 86_400n * NS_PER_SECOND,
  everyNs: 3600n * NS_PER_SECOND,
  timeZone: undefined,
  functions: ['count'],
  by: [],
  fill: 'none',
};

/** A reading at a number of seconds after `baseNs`. */
export function readingAt(
  seconds: number,
  sensor: string,
  values: Record<string, MetricValue>,
  location?: string,
): Reading {
  const timeNs = baseNs + BigInt(Math.round(seconds * 1e9));
  return { sensor, location, timeNs, values: Object.entries(values) };
}

/** A float point of a measurement that is not `readings`. */
export function pointAt(seconds: number, measurement: string, fields: Point['fields']): Point {
  return { measurement, tags: [['host', 'a']], fields, timeNs: baseNs + BigInt(Math.round(seconds * 1e9)) };
}

/** Readings in a form that can be compared: the order of values inside a reading is not promised. */
export function shown(readings: readonly Reading[]): unknown[] {
  return readings.map(({ sensor, location, timeNs, values }) => ({
    sensor,
    location,
    timeNs,
    values: new Map(values),
  }));
}
