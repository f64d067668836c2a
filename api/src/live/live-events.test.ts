import { type Point, readingToPoint } from '@tidemark/core';
import { describe, expect, it } from 'vitest';
import { MemoryJournal } from '../testing/memory-journal.ts';
import { type LiveEvent, liveEvents } from './live-events.ts';
import { LiveFeed } from './live-feed.ts';

const hourMs = 3_600_000;

function point(sensor: string, value: number, location?: string): Point {
  return readingToPoint({ sensor, location, timeNs: BigInt(value), values: [['v', value]] });
}

function follow(journal: MemoryJournal, options: Partial<Parameters<typeof liveEvents>[0]> = {}) {
  const stopping = new AbortController();
  const events = liveEvents({
    journal,
    feed: new LiveFeed({ journal, maxWaiting: 10 }),
    filter: {},
    resumeAt: undefined,
    signal: stopping.signal,
    heartbeatMs: hourMs,
    maxLagBytes: 1_000_000,
    ...options,
  });
  const next = async (): Promise<LiveEvent> => {
    const { value } = await events.next();
    return value as LiveEvent;
  };
  return { next, stop: () => stopping.abort(), events };
}

function jsonOf(event: LiveEvent & { kind: 'readings' }): Record<string, unknown>[] {
  return event.readings.map(({ live }) => JSON.parse(live.text));
}

function valuesOf(event: LiveEvent): unknown[] {
  return event.kind === 'readings' ? jsonOf(event).map(({ v }) => v) : [event.kind];
}

describe('liveEvents', () => {
  it('begins with where it is, and goes on with what comes next', async () => {
    const journal = new MemoryJournal();
    journal.append([point('a', 1)]);
    const { next } = follow(journal);
    expect(await next()).toEqual({ kind: 'heartbeat', resumeAt: 100 });
    journal.append([point('a', 2)]);
    const event = await next();
    expect(valuesOf(event)).toEqual([2]);
    expect(event.resumeAt).toBe(200);
  });

  it('resumes at any place without missing or repeating a message', async () => {
    const journal = new MemoryJournal({ batchEntries: 2 });
    for (let value = 0; value < 9; value++) journal.append([point('a', value)]);
    for (let seen = 0; seen < 9; seen++) {
      const { next } = follow(journal, { resumeAt: seen * 100 });
      await next();
      const values: unknown[] = [];
      while (values.length < 9 - seen) values.push(...valuesOf(await next()));
      expect(values).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8].slice(seen));
    }
  });

  it('lets a message that was cut off come again as a whole', async () => {
    const journal = new MemoryJournal();
    journal.append([point('a', 1), point('a', 2), point('b', 3)]);
    const { next } = follow(journal, { resumeAt: 0, filter: { sensors: ['a'] } });
    await next();
    const event = await next();
    if (event.kind !== 'readings') throw new Error('no readings');
    expect(event.readings.map(({ live, resumeAt }) => [JSON.parse(live.text).v, resumeAt])).toEqual([
      [1, 0],
      [2, 100],
    ]);
  });

  it('filters by sensor, location and metric', async () => {
    const journal = new MemoryJournal();
    const other = { ...point('a', 9), measurement: 'weather' };
    journal.append([point('a', 1), point('b', 2, 'north'), point('b', 3), other]);
    const seen = async (filter: Parameters<typeof liveEvents>[0]['filter']) => {
      const { next } = follow(journal, { resumeAt: 0, filter, heartbeatMs: 5 });
      await next();
      return valuesOf(await next());
    };
    expect(await seen({})).toEqual([1, 2, 3]);
    expect(await seen({ sensors: ['b'] })).toEqual([2, 3]);
    expect(await seen({ sensors: ['b*'] })).toEqual([2, 3]);
    expect(await seen({ sensors: ['*x', 'a'] })).toEqual([1]);
    expect(await seen({ locations: ['north'] })).toEqual([2]);
    expect(await seen({ metrics: ['v'] })).toEqual([1, 2, 3]);
    expect(await seen({ metrics: ['w'] })).toEqual(['heartbeat']);
  });

  it('marks what came late, but never covers up a metric', async () => {
    const journal = new MemoryJournal();
    journal.append([point('a', 1)]);
    journal.append([point('b', 2), { ...point('c', 3), fields: [['late', 7]] }], true);
    const { next } = follow(journal, { resumeAt: 0 });
    await next();
    const event = await next();
    if (event.kind !== 'readings') throw new Error('no readings');
    expect(jsonOf(event).map(({ sensor, late }) => [sensor, late])).toEqual([
      ['a', undefined],
      ['b', true],
      ['c', 7],
    ]);
  });

  it('moves on past what does not match, so that resuming does not ask for what is long gone', async () => {
    const journal = new MemoryJournal();
    const { next } = follow(journal, { filter: { sensors: ['b'] }, heartbeatMs: 5 });
    await next();
    journal.append([point('a', 1)]);
    let event = await next();
    while (event.resumeAt === 0) event = await next();
    expect(event).toEqual({ kind: 'heartbeat', resumeAt: 100 });
  });

  it('says when the log no longer holds what was asked for', async () => {
    const journal = new MemoryJournal();
    for (let value = 0; value < 5; value++) journal.append([point('a', value)]);
    journal.reclaim(300);
    const { next } = follow(journal, { resumeAt: 100 });
    expect(await next()).toEqual({
      kind: 'gap',
      gap: { reason: 'reclaimed', from: 100, to: 300, skipped: null },
      resumeAt: 300,
    });
    await next();
    expect(valuesOf(await next())).toEqual([3, 4]);
  });

  it('says when the log was reclaimed under a client that is reading', async () => {
    const journal = new MemoryJournal({ batchEntries: 1 });
    for (let value = 0; value < 5; value++) journal.append([point('a', value)]);
    const { next } = follow(journal, { resumeAt: 0 });
    await next();
    expect(valuesOf(await next())).toEqual([0]);
    journal.reclaim(300);
    expect(await next()).toMatchObject({ kind: 'gap', gap: { reason: 'reclaimed', from: 100, to: 300 } });
    expect(valuesOf(await next())).toEqual([3]);
  });

  it('says when the client knows an offset that this log never had', async () => {
    const journal = new MemoryJournal();
    journal.append([point('a', 1)]);
    const { next } = follow(journal, { resumeAt: 5000 });
    expect(await next()).toMatchObject({
      kind: 'gap',
      gap: { reason: 'ahead', skipped: null },
      resumeAt: 100,
    });
  });

  it('brings a client that fell behind to the present: a gap counts what it missed, the newest follow', async () => {
    const journal = new MemoryJournal({ batchEntries: 10 });
    const { next } = follow(journal, { maxLagBytes: 2000, filter: { sensors: ['a', 'c'] } });
    await next();
    // The client takes what comes first, and nothing while 100 entries come: half of them are for others.
    journal.append([point('a', 0)]);
    expect(valuesOf(await next())).toEqual([0]);
    for (let value = 1; value <= 100; value++) {
      const sensor = value === 51 ? 'c' : value % 2 === 0 ? 'a' : 'b';
      journal.append([point(sensor, value)]);
      if (value % 10 === 0) await new Promise(setImmediate);
    }
    const gap = await next();
    expect(gap).toEqual({
      kind: 'gap',
      gap: { reason: 'behind', from: 100, to: 10_100, skipped: 49 },
      resumeAt: 100,
    });
    const newest = await next();
    expect(valuesOf(newest)).toEqual([51, 100]);
    // Cut off before the last of them, it resumes before the gap.
    expect(newest.kind === 'readings' && newest.readings.map(({ resumeAt }) => resumeAt)).toEqual([
      100, 10_100,
    ]);
    journal.append([point('a', 101)]);
    expect(valuesOf(await next())).toEqual([101]);
  });

  it('gives a client that falls behind by little all it missed', async () => {
    const journal = new MemoryJournal({ batchEntries: 10 });
    const { next } = follow(journal);
    await next();
    const values: unknown[] = [];
    for (let round = 0; round < 5; round++) {
      for (let value = 0; value < 30; value++) journal.append([point('a', value + 30 * round)]);
      await new Promise(setImmediate);
      values.push(...valuesOf(await next()));
    }
    while (values.length < 150) values.push(...valuesOf(await next()));
    expect(values).toEqual(Array.from({ length: 150 }, (_, value) => value));
  });

  it('gives a client that resumes everything the log holds, however much', async () => {
    const journal = new MemoryJournal({ batchEntries: 10 });
    for (let value = 0; value < 100; value++) journal.append([point('a', value)]);
    const { next } = follow(journal, { resumeAt: 0, maxLagBytes: 500 });
    await next();
    const values: unknown[] = [];
    while (values.length < 100) values.push(...valuesOf(await next()));
    expect(values).toEqual(Array.from({ length: 100 }, (_, value) => value));
  });

  it('ends when it is stopped', async () => {
    const journal = new MemoryJournal();
    const { next, stop, events } = follow(journal);
    await next();
    const end = events.next();
    stop();
    expect(await end).toEqual({ done: true, value: undefined });
  });
});
