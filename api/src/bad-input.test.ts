import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlatform } from './testing/test-platform.ts';

let platform: Awaited<ReturnType<typeof startTestPlatform>>;
beforeAll(async () => {
  platform = await startTestPlatform();
  await post('[{"sensor":"a","v":1,"text":"t","time":1},{"sensor":"b","location":"c","v":2,"time":2}]');
});
afterAll(() => platform.stop());

function post(body: string, contentType = 'application/json', path = '/api/v1/readings'): Promise<Response> {
  const init = { method: 'POST', body, headers: { 'content-type': contentType } };
  return Promise.resolve(platform.app.request(path, init));
}

const paths = ['readings', 'readings/first', 'readings/last', 'latest', 'windows', 'quarantine'].map(
  (name) => `/api/v1/${name}`,
);
const names = 'sensor location metric from to order limit cursor every fn by fill tz reason'.split(' ');
const nasty = [
  ...[
    '',
    ' ',
    '0',
    '-1',
    '1e400',
    'NaN',
    'null',
    'now',
    'now-1h',
    'now-',
    '9223372036854775807',
    '-9223372036854775808',
  ],
  ...[
    '99999999999999999999',
    '0000-00-00T00:00:00Z',
    '9999-12-31T23:59:59Z',
    '1ns',
    '999999999999999w',
    'p99.9',
    'p100',
  ],
  ...[
    'a',
    'v',
    'text',
    "'; DROP TABLE readings; --",
    '"',
    '\\',
    '%',
    '\u0000',
    '\ud800',
    '温度',
    'a,,b',
    '[]',
    'WyIxIiwiYSJd',
  ],
  ...[
    'count',
    'mean,p50',
    'sensor,location',
    'linear',
    'previous',
    '1.5',
    'Europe/Madrid',
    'asc',
    'desc',
    '+00:00',
  ],
];
const value = fc.oneof(fc.constantFrom(...nasty), fc.string({ maxLength: 12 }));
const query = fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 4 });

function encode(pairs: [string, string][]): string {
  return pairs.map(([name, text]) => `${name}=${encodeURIComponent(text.toWellFormed())}`).join('&');
}

describe('whatever is asked', () => {
  it('is answered, or refused as a problem that names a field; never by a 500', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), query, async (path, pairs) => {
        const response = await platform.app.request(`${path}?${encode(pairs)}`);
        expect([200, 400, 404]).toContain(response.status);
        if (response.status !== 400) return;
        const problem = (await response.json()) as { code: string; detail: string };
        expect(problem.code).toBe('bad_request');
        expect(problem.detail).not.toBe('');
      }),
      { numRuns: 400 },
    );
  }, 60_000);

  it('by id is answered, or refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        const id = encodeURIComponent(text.toWellFormed());
        const response = await platform.app.request(`/api/v1/readings/${id}`);
        expect([200, 400, 404]).toContain(response.status);
      }),
    );
  });

  it('of statistics is computed, or refused with errors that say why', async () => {
    const key = fc.constantFrom('v', 'text', 'from', 'to', '0', '__proto__', 'constructor', '');
    const member = fc.oneof(value, fc.jsonValue(), fc.array(fc.oneof(value, fc.jsonValue())));
    const bodies = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .tuple(fc.dictionary(key, member), fc.boolean())
        .map(([rest, isDated]) => JSON.stringify({ ...(isDated && { from: 0, to: 'now' }), ...rest })),
    );
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        const response = await post(body, 'application/json', '/compute/metrics');
        const { result, errors } = (await response.json()) as { result: object; errors: string[] };
        expect([200, 400]).toContain(response.status);
        expect(Object.keys(result).length > 0).toBe(response.status === 200);
        if (response.status === 400) expect(errors.length).toBeGreaterThan(0);
        for (const error of errors) expect(error).toMatch(/^(Unexpected|Missing|not valid JSON) /);
      }),
      { numRuns: 400 },
    );
  }, 60_000);

  it('and whatever is sent is taken, or refused as a problem', async () => {
    const bodies = fc.oneof(fc.json(), fc.string());
    const types = fc.constantFrom(
      'application/json',
      'application/x-ndjson',
      'text/plain',
      'application/json; charset=utf-8',
    );
    await fc.assert(
      fc.asyncProperty(bodies, types, async (body, type) => {
        const response = await post(body, type);
        expect([200, 400, 415, 422]).toContain(response.status);
      }),
      { numRuns: 200 },
    );
  }, 60_000);
});
