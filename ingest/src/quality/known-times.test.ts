import { expect, it } from 'vitest';
import { KnownTimes } from './known-times.ts';

const startNs = 1_777_636_800_000_000_000n;

function add(times: KnownTimes, sensor: number, metric: number, timeNs: bigint): boolean {
  return times.add(sensor, metric, Number(timeNs >> 32n), Number(timeNs & 0xffff_ffffn), false);
}

it('knows a time of a metric of a sensor, and takes no other for it', () => {
  const times = new KnownTimes();
  const identities: [number, number, bigint][] = [];
  for (let sensor = 1; sensor <= 100; sensor++)
    for (let metric = 1; metric <= 10; metric++)
      for (const afterNs of [0n, 1n, 1000n, 1_000_000_000n, 1n << 32n, 1n << 40n])
        identities.push([sensor, metric, startNs + afterNs]);
  expect(identities.filter((identity) => add(times, ...identity))).toEqual([]);
  const known = identities.filter((identity) => add(times, ...identity)).length;
  // A few have given their slot to another one.
  expect(known).toBeGreaterThan(identities.length * 0.98);
});

it('finds nothing known among millions that are all new', () => {
  const times = new KnownTimes();
  let known = 0;
  for (let n = 0; n < 3_000_000; n++) if (add(times, 1 + (n % 1000), 1, startNs + BigInt(n))) known++;
  expect(known).toBe(0);
});
