import { describe, expect, it } from 'vitest';
import { Beginnings } from './beginnings.ts';
import { MIN_TIME_NS } from './schema.ts';

const filter = { sensors: ['a'] };
const readingAt = (timeNs: bigint) => ({ sensor: 'a', location: undefined, timeNs, values: [] });
const found = (timeNs: bigint | undefined) => async () => ({
  first: timeNs === undefined ? undefined : readingAt(timeNs),
  answer: timeNs,
});

describe('the beginning', () => {
  it('is what was found, for the same filter', async () => {
    const beginnings = new Beginnings();
    expect(await beginnings.learn(filter, found(50n))).toBe(50n);
    expect(beginnings.of({ sensors: ['a'], metrics: [] })).toBe(50n);
    expect(beginnings.first(filter)).toEqual(readingAt(50n));
    expect(beginnings.of({ sensors: ['b'] })).toBe(MIN_TIME_NS);
    expect(beginnings.first({ sensors: ['b'] })).toBeUndefined();
    await beginnings.learn(filter, found(undefined));
    expect(beginnings.of(filter)).toBe(50n);
  });

  it('is what was written before it', async () => {
    const beginnings = new Beginnings();
    await beginnings.learn(filter, found(50n));
    beginnings.written(60n);
    expect(beginnings.first(filter)).toEqual(readingAt(50n));
    // It may be the same reading with another value.
    beginnings.written(50n);
    expect(beginnings.first(filter)).toBeUndefined();
    expect(beginnings.of(filter)).toBe(50n);
    beginnings.written(40n);
    expect(beginnings.of(filter)).toBe(40n);
  });

  it('is no later than what was written while it was looked for', async () => {
    const beginnings = new Beginnings();
    await beginnings.learn(filter, async () => {
      beginnings.written(30n);
      return { first: readingAt(50n), answer: undefined };
    });
    expect(beginnings.of(filter)).toBe(30n);
    expect(beginnings.first(filter)).toBeUndefined();
  });

  it('is unknown once readings have gone', async () => {
    const beginnings = new Beginnings();
    await beginnings.learn(filter, found(50n));
    beginnings.forget();
    expect(beginnings.of(filter)).toBe(MIN_TIME_NS);
    await beginnings.learn(filter, async () => {
      beginnings.forget();
      return { first: readingAt(50n), answer: undefined };
    });
    expect(beginnings.of(filter)).toBe(MIN_TIME_NS);
  });

  it('is remembered of a hundred filters', async () => {
    const beginnings = new Beginnings();
    for (let n = 0; n < 101; n++) await beginnings.learn({ sensors: [`s${n}`] }, found(BigInt(n)));
    expect(beginnings.of({ sensors: ['s0'] })).toBe(MIN_TIME_NS);
    expect(beginnings.of({ sensors: ['s100'] })).toBe(100n);
  });
});
