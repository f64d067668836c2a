import { percentileOf, type Reading, type Window, type WindowFunction, type WindowTag } from '@tidemark/core';
import { expect } from 'vitest';
import type { WindowsQuery } from '../../src/engine.ts';
import { compareWindows } from '../../src/order.ts';
import { windowStartOf } from './reference-grid.ts';

interface Sample {
  timeNs: bigint;
  value: number;
}

/**
 * Windows computed the plain way, from readings that hold no duplicates: the other side of the comparison.
 * Without fill, and in the zones that `windowStartOf` knows.
 */
export function referenceWindows(readings: readonly Reading[], query: WindowsQuery): Window[] {
  const groups = new Map<string, { window: Omit<Window, 'values'>; samples: Sample[] }>();
  for (const reading of readings) {
    if (!isAskedFor(reading, query)) continue;
    for (const [metric, value] of reading.values) {
      if (typeof value === 'string' || !isListed(query.metrics, metric)) continue;
      const timeNs = windowStartOf(reading.timeNs, query);
      const window = { timeNs, metric, ...tagsOf(reading, query.by) };
      const key = JSON.stringify([metric, window.sensor, window.location, String(timeNs)]);
      const group = groups.get(key) ?? { window, samples: [] };
      group.samples.push({ timeNs: reading.timeNs, value: Number(value) });
      groups.set(key, group);
    }
  }
  return [...groups.values()]
    .map(({ window, samples }) => ({
      ...window,
      values: new Map(query.functions.map((fn) => [fn, compute(fn, samples)])),
    }))
    .sort(compareWindows(query.by));
}

/** Expects windows to be the same: exactly, but for sums and what is made of them, to 1e-9 of their size. */
export function expectWindows(actual: readonly Window[], expected: readonly Window[]): void {
  const label = ({ values: _, ...rest }: Window) => rest;
  expect(actual.map(label)).toEqual(expected.map(label));
  actual.forEach((window, index) => {
    const wanted = expected[index]!.values;
    expect([...window.values.keys()].sort()).toEqual([...wanted.keys()].sort());
    for (const [fn, value] of wanted) {
      expectValue(window.values.get(fn), value, `${fn} of ${JSON.stringify(String(window.timeNs))}`);
    }
  });
}

function expectValue(actual: number | null | undefined, wanted: number | null, message: string): void {
  if (typeof actual !== 'number' || wanted === null) expect(actual, message).toBe(wanted);
  else
    expect(Math.abs(actual - wanted), `${message}: ${actual} is not ${wanted}`).toBeLessThanOrEqual(
      1e-9 * Math.abs(wanted),
    );
}

function isAskedFor({ sensor, location, timeNs }: Reading, query: WindowsQuery): boolean {
  return (
    timeNs >= query.fromNs &&
    timeNs < query.toNs &&
    isListed(query.sensors, sensor) &&
    isListed(query.locations, location)
  );
}

function isListed(list: readonly string[] | undefined, text: string | undefined): boolean {
  return list === undefined || list.length === 0 || (text !== undefined && list.includes(text));
}

function tagsOf(reading: Reading, by: readonly WindowTag[]): Partial<Window> {
  return {
    ...(by.includes('sensor') ? { sensor: reading.sensor } : {}),
    ...(by.includes('location') ? { location: reading.location ?? null } : {}),
  };
}

function compute(fn: WindowFunction, samples: readonly Sample[]): number | null {
  const sorted = samples.map(({ value }) => value).sort((a, b) => a - b);
  const n = sorted.length;
  const sum = sorted.reduce((total, value) => total + value, 0);
  const percentile = percentileOf(fn);
  if (percentile !== undefined) return sorted[Math.floor((n * percentile) / 100 + 0.5) - 1] ?? null;
  switch (fn) {
    case 'count':
      return n;
    case 'sum':
      return sum;
    case 'min':
      return sorted[0]!;
    case 'max':
      return sorted[n - 1]!;
    case 'mean':
      return sum / n;
    case 'median':
      return (sorted[Math.floor((n - 1) / 2)]! + sorted[Math.floor(n / 2)]!) / 2;
    case 'stddev':
      return n < 2 ? null : Math.sqrt(sorted.reduce((total, x) => total + (x - sum / n) ** 2, 0) / (n - 1));
    case 'spread':
      return sorted[n - 1]! - sorted[0]!;
    case 'first':
      return endOf(samples, -1n).value;
    case 'last':
      return endOf(samples, 1n).value;
    case 'rate':
      return rate(endOf(samples, -1n), endOf(samples, 1n));
    case 'distinct':
      return new Set(sorted).size;
    default:
      throw new Error(`no reference for ${fn}`);
  }
}

/** The earliest (−1) or latest (1) sample; of several at that time the one with the highest value. */
function endOf(samples: readonly Sample[], direction: 1n | -1n): Sample {
  return samples.reduce((best, sample) => {
    const ahead = (sample.timeNs - best.timeNs) * direction;
    return ahead > 0n || (ahead === 0n && sample.value > best.value) ? sample : best;
  });
}

function rate(first: Sample, last: Sample): number | null {
  const seconds = Number(last.timeNs - first.timeNs) / 1e9;
  return seconds === 0 ? null : (last.value - first.value) / seconds;
}
