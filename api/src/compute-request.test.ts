import { parseTime } from '@tidemark/core';
import { describe, expect, it } from 'vitest';
import { readComputeRequest } from './compute-request.ts';

const from = '2020-01-13 15:12:00';
const to = '2020-01-13 15:13:00';
const fromNs = parseTime(from)!;
const toNs = parseTime(to)!;

function read(body: Record<string, unknown>) {
  const knownMetrics = new Set(['temperature', 'humidity', '7', '__proto__']);
  return readComputeRequest({ members: new Map(Object.entries(body)), knownMetrics, nowNs: toNs });
}

describe('readComputeRequest', () => {
  it('keeps the names asked for, with the functions that they stand for', () => {
    const { request, errors } = read({
      temperature: ['average', 'mean', 'p99.9', 'count', 'count'],
      from,
      to,
    });
    expect(errors).toEqual([]);
    expect(request).toMatchObject({ fromNs, toNs });
    expect([...request!.wanted.get('temperature')!]).toEqual([
      ['average', 'mean'],
      ['mean', 'mean'],
      ['p99.9', 'p99.9'],
      ['count', 'count'],
    ]);
  });

  it.each([
    ['an RFC 3339 time with a zone', '2020-01-13T16:12:00+01:00', fromNs],
    ['seconds', 1_578_928_320, fromNs],
    ['nanoseconds beyond 2^53', 1_578_928_320_000_000_000n, fromNs],
    ['a relative time', 'now-1m', fromNs],
  ])('takes %s', (_name, value, expected) => {
    expect(read({ temperature: ['count'], from: value, to }).request?.fromNs).toBe(expected);
  });

  it('brings times that no store can hold to the nearest that it can', () => {
    const { request } = read({
      temperature: ['count'],
      from: '0001-01-01 00:00:00',
      to: '9999-01-01 00:00:00',
    });
    expect(request).toMatchObject({ fromNs: -(2n ** 63n) + 2n, toNs: 2n ** 63n - 2n });
  });

  it('tells all that is wrong, in the order of the body, and keeps what is right', () => {
    const body = {
      wrongKey: 1,
      temperature: ['wrongMetric', 'count', 'p100', 5],
      other: ['count'],
      humidity: [],
      from,
      to,
    };
    const { request, errors } = read(body);
    expect(errors).toEqual([
      'Unexpected key wrongKey in the request body',
      'Unexpected metric wrongMetric to compute for the sensor temperature',
      'Unexpected metric p100 to compute for the sensor temperature',
      'Unexpected metric 5 to compute for the sensor temperature',
      'Unexpected key other in the request body',
      'Missing metrics to compute for the sensor humidity',
    ]);
    expect([...request!.wanted.keys()]).toEqual(['temperature']);
  });

  const advice = 'write RFC 3339, YYYY-MM-DD hh:mm:ss (UTC) or an integer of s, ms, µs or ns';
  it.each<[string, Record<string, unknown>, string[]]>([
    ['nothing', {}, ['Missing key from', 'Missing key to', 'Missing metrics to compute']],
    ['no metric', { from, to }, ['Missing metrics to compute']],
    ['no from', { temperature: ['count'], to }, ['Missing key from']],
    ['no to', { temperature: ['count'], from }, ['Missing key to']],
  ])('refuses a body with %s', (_name, body, errors) => {
    const all = errors.map((error) => `${error} in the request body`);
    expect(read(body)).toEqual({ request: undefined, errors: all });
  });

  it.each<[unknown, string]>([
    ['yesterday', 'yesterday'],
    [null, 'null'],
    [true, 'true'],
    ['2020-02-30 00:00:00', '2020-02-30 00:00:00'],
    [[[1]], '[…]'],
    [{ a: 1 }, '{…}'],
    ['x'.repeat(1_000_000), `${'x'.repeat(128)}…`],
  ])('refuses a body with a time that cannot be read', (value, shown) => {
    expect(read({ from, temperature: ['count'], to: value })).toEqual({
      request: undefined,
      errors: [`Unexpected value ${shown} for the key to in the request body: ${advice}`],
    });
  });

  it('refuses a range that ends before it begins, and takes an instant', () => {
    expect(read({ temperature: ['count'], from: to, to: from })).toEqual({
      request: undefined,
      errors: [`Unexpected value ${from} for the key to in the request body: it is before from`],
    });
    expect(read({ temperature: ['count'], from, to: from }).request).toMatchObject({ fromNs, toNs: fromNs });
  });

  it.each<[unknown, string]>([
    ['count', 'count'],
    [5, '5'],
    [null, 'null'],
    [{ 0: 'count' }, '{…}'],
  ])('refuses a body with %j for a list', (value, shown) => {
    expect(read({ from, temperature: value, humidity: ['count'], to })).toEqual({
      request: undefined,
      errors: [
        `Unexpected value ${shown} for the key temperature in the request body: write a list of metrics`,
      ],
    });
  });

  it('takes any name of a metric', () => {
    const body = JSON.parse(`{"7":["count"],"__proto__":["min"],"from":"${from}","to":"${to}"}`);
    expect([...read(body).request!.wanted.keys()]).toEqual(['7', '__proto__']);
  });
});
