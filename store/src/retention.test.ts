import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics, loadConfig, NS_PER_DAY, READINGS, silentLogger } from '@tidemark/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Expiry } from './engine.ts';
import { Retention } from './retention.ts';

const day = (number: number, hours = 0) => BigInt(number) * NS_PER_DAY + BigInt(hours) * 3_600_000_000_000n;
let nowNs = day(100, 13);
const clock = { nowNs: () => nowNs, monotonicMs: () => 0 };
let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tidemark-retention-'));
  nowNs = day(100, 13);
});
afterEach(() => rmSync(dataDir, { recursive: true }));

/** A store of days, each of 10 bytes. */
class DayStore {
  readonly purges: (readonly Expiry[])[] = [];
  days = [70, 80, 90, 99, 100];

  async fields() {
    return [READINGS, 'power', READINGS].map((measurement) => ({
      measurement,
      field: 'x',
      type: 'float' as const,
    }));
  }

  async purge(expiries: readonly Expiry[]) {
    this.purges.push(expiries);
    const beforeNs = expiries[0]!.beforeNs;
    const before = this.days.length;
    this.days = this.days.filter((number) => day(number) >= beforeNs);
    return { points: before - this.days.length };
  }

  async storage() {
    const oldestNs = new Map(this.days.slice(0, 1).map((number) => [READINGS, day(number, 3)]));
    return { usedBytes: this.days.length * 10, oldestNs };
  }

  async timeOfOldest(bytes: number) {
    return day(this.days[Math.ceil(bytes / 10) - 1]! + 1);
  }
}

function retain(settings: Record<string, unknown>, engine = new DayStore()) {
  const config = loadConfig({ overrides: { dataDir, ...settings } });
  const metrics = createMetrics();
  return {
    engine,
    metrics,
    retention: new Retention({ config, engine, clock, logger: silentLogger, metrics }),
  };
}

describe('retention', () => {
  test('is for ever unless set', async () => {
    const { engine, retention } = retain({});
    await retention.start();
    await retention.look();
    expect(engine.purges).toEqual([]);
    const state = await retention.state();
    expect(state.measurements).toEqual([
      { measurement: READINGS, oldestNs: day(70, 3), maxAgeNs: undefined, nextPurgeNs: undefined },
    ]);
    expect(state).toMatchObject({ usedBytes: 50, maxBytes: undefined, lastPurge: undefined });
    expect(state.freeBytes).toBeGreaterThan(0);
  });

  test('counts ages in whole days, by measurement or for all others', async () => {
    const { engine, retention, metrics } = retain({ 'retention.maxAge': ['*=20d', 'power=1d'] });
    await retention.look();
    expect(engine.purges).toEqual([
      [
        { measurement: READINGS, beforeNs: day(80) },
        { measurement: 'power', beforeNs: day(99) },
      ],
    ]);
    expect((await retention.state()).lastPurge).toEqual({ timeNs: nowNs, points: 1 });
    const counted = await metrics.getSingleMetric('tidemark_retention_purged_points_total')?.get();
    expect(counted?.values).toMatchObject([{ labels: { bound: 'age' }, value: 1 }]);
  });

  test('tells when the oldest point will be past its age, and it is not gone before', async () => {
    const { engine, retention } = retain({ 'retention.maxAge': 'readings=40d' });
    const [readings] = (await retention.state()).measurements;
    expect(readings?.nextPurgeNs).toBe(day(111));
    nowNs = day(111) - 1n;
    await retention.look();
    expect(engine.days[0]).toBe(70);
    nowNs = day(111);
    await retention.look();
    expect(engine.days[0]).toBe(80);
  });

  test('removes the oldest when they take more disk than they may', async () => {
    const { engine, retention } = retain({ 'retention.maxBytes': 30 });
    await retention.look();
    // To 95 %, so that the next look need not purge again.
    expect(engine.days).toEqual([99, 100]);
    await retention.look();
    expect(engine.purges).toHaveLength(1);
    expect(engine.purges[0]?.map(({ measurement }) => measurement)).toEqual([READINGS, 'power']);
  });

  test('refuses a bound by size where the store does not tell it', async () => {
    const { retention } = retain({ 'retention.maxBytes': 30, 'store.kind': 'influxdb' });
    await expect(retention.start()).rejects.toMatchObject({ code: 'config_invalid' });
  });

  test.each(['readings', 'readings=', 'readings=5h', '=5d', 'readings=5 d'])('refuses the age %j', (text) => {
    expect(() => loadConfig({ overrides: { 'retention.maxAge': text } })).toThrow(/MEASUREMENT=AGE/);
  });
});
