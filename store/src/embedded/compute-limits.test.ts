import { expect, it } from 'vitest';
import { computeLimits } from './compute-limits.ts';

it.each([1, 2, 3, 4, 8, 64])('leaves one of %i cores free while points come in', (cores) => {
  const { reads, threads } = computeLimits({ cores, isLoaded: true });
  expect(reads).toBeGreaterThan(0);
  // One of the threads is that of a query.
  expect(threads - 1 + reads).toBe(Math.max(cores - 1, 1));
});

it('takes all of them else', () => {
  expect(computeLimits({ cores: 4, isLoaded: false })).toEqual({ reads: 2, threads: 4 });
});
