import type { StorageState } from '@tidemark/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

const dayNs = 86_400_000_000_000n;
const state: StorageState = {
  store: 'embedded',
  usedBytes: 5000,
  freeBytes: 70_000,
  maxBytes: undefined,
  lastPurge: { timeNs: 20_000n * dayNs, points: 7 },
  measurements: [
    {
      measurement: 'power',
      oldestNs: 19_000n * dayNs,
      maxAgeNs: 36n * 3_600_000_000_000n,
      nextPurgeNs: 20_001n * dayNs,
    },
    { measurement: 'readings', oldestNs: 18_000n * dayNs, maxAgeNs: undefined, nextPurgeNs: undefined },
  ],
};
let platform: Awaited<ReturnType<typeof startTestPlatform>>;
let played: Awaited<ReturnType<typeof startTestPlatform>>;

beforeAll(async () => {
  platform = await startTestPlatform();
  played = await startTestPlatform({ storage: { maxAgeOf: () => undefined, state: async () => state } });
});
afterAll(async () => {
  await platform.stop();
  await played.stop();
});

it('tells the oldest point, the next purge, and the disk used and left', async () => {
  const response = await played.app.request('/api/v1/storage');
  expect(await response.json()).toEqual({
    store: 'embedded',
    usedBytes: 5000,
    freeBytes: 70_000,
    maxBytes: null,
    oldest: '2019-04-14T00:00:00Z',
    nextPurge: '2024-10-05T00:00:00Z',
    lastPurge: { time: '2024-10-04T00:00:00Z', points: 7 },
    measurements: [
      {
        measurement: 'power',
        oldest: '2022-01-08T00:00:00Z',
        maxAge: '36h',
        nextPurge: '2024-10-05T00:00:00Z',
      },
      { measurement: 'readings', oldest: '2019-04-14T00:00:00Z', maxAge: null, nextPurge: null },
    ],
  });
});

it('knows no oldest point of an empty store', async () => {
  const response = await platform.app.request('/api/v1/storage');
  expect(await response.json()).toMatchObject({ oldest: null, nextPurge: null, measurements: [] });
});
