import { type QualityCount, type QualityFilter, systemClock } from '@tidemark/core';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

const minuteNs = 60_000_000_000n;
const counted: QualityCount[] = ['range', 'silence'].flatMap((check) =>
  ['a', 'b'].map((sensor) => ({
    sensor,
    check: check as QualityCount['check'],
    count: 3,
    firstNs: 29_000_000n * minuteNs,
    lastNs: 29_000_001n * minuteNs,
  })),
);
const asked: QualityFilter[] = [];
const answers: QualityCount[][] = [];
const quality = {
  counts: async (filter: QualityFilter) => {
    asked.push(filter);
    return answers.shift() ?? [];
  },
};
let platform: Awaited<ReturnType<typeof startTestPlatform>>;

beforeAll(async () => {
  platform = await startTestPlatform({ quality });
});
afterAll(() => platform.stop());
beforeEach(() => {
  asked.length = 0;
});

async function get(query: string) {
  const response = await platform.app.request(`/api/v1/quality${query}`);
  return { status: response.status, body: await response.json() };
}

it('answers counts by sensor and check, of the last day unless asked otherwise', async () => {
  answers.push(counted.slice(0, 1));
  const { status, body } = await get('');
  expect(status).toBe(200);
  expect(body).toEqual({
    items: [
      {
        sensor: 'a',
        check: 'range',
        count: 3,
        first: '2025-02-19T21:20:00Z',
        last: '2025-02-19T21:21:00Z',
      },
    ],
    count: 1,
    isEmpty: false,
    next: null,
  });
  const [{ fromNs, toNs, sensors, checks } = {} as QualityFilter] = asked;
  expect(toNs - fromNs).toBe(86_400_000_000_000n);
  expect(systemClock.nowNs() - toNs).toBeLessThan(minuteNs);
  expect([sensors, checks]).toEqual([undefined, undefined]);
});

it('passes on what is asked for, `#others` too', async () => {
  await get('?sensor=a,%23others&check=range&check=late&from=2026-05-01T00:00:00Z&to=2026-05-02T00:00:00Z');
  expect(asked).toMatchObject([
    {
      sensors: ['a', '#others'],
      checks: ['range', 'late'],
      fromNs: 1_777_593_600_000_000_000n,
      toNs: 1_777_680_000_000_000_000n,
    },
  ]);
});

it('goes on behind the last item of a page', async () => {
  answers.push(counted.slice(0, 3), counted.slice(2));
  const { body: first } = await get('?limit=2');
  expect(first).toMatchObject({ count: 2, next: expect.any(String) });
  const { body: second } = await get(`?limit=2&cursor=${first.next}`);
  expect(second).toMatchObject({ count: 2, next: null });
  expect(asked.map(({ limit, after }) => ({ limit, after }))).toEqual([
    { limit: 3, after: undefined },
    { limit: 3, after: { sensor: 'b', check: 'range' } },
  ]);
});

it.each([
  ['?check=bogus', 'check'],
  ['?limit=0', 'limit'],
  ['?from=x', 'from'],
  ['?from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z', 'from'],
  ['?cursor=e30', 'cursor'],
  ['?bogus=1', 'bogus'],
])('%s is a bad request that names %s', async (query, path) => {
  const { status, body } = await get(query);
  expect(status).toBe(400);
  expect(body.errors.map((issue: { path: string }) => issue.path)).toEqual([path]);
});
