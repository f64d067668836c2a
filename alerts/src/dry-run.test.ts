import { NS_PER_MS, type Reading } from '@tidemark/core';
import { expect, it } from 'vitest';
import { dryRun } from './dry-run.ts';
import { beginMs, openParts } from './testing/test-service.ts';

const MINUTE_NS = 60_000n * NS_PER_MS;
const beginNs = BigInt(beginMs) * NS_PER_MS;
const minuteOf = (timeNs: bigint): number => Number((timeNs - beginNs) / MINUTE_NS);

function reading(sensor: string, minute: number, value = 1, location?: string): Reading {
  return { sensor, location, timeNs: beginNs + BigInt(minute) * MINUTE_NS, values: [['temperature', value]] };
}

async function play(parts: Awaited<ReturnType<typeof openParts>>, document: object, readings: Reading[]) {
  const asked: (readonly string[] | undefined)[] = [];
  const engine = {
    readings: async ({ sensors }: { sensors?: readonly string[] | undefined }) => {
      asked.push(sensors);
      return readings.filter(({ sensor }) => sensors === undefined || sensors.includes(sensor));
    },
  };
  const range = { fromNs: beginNs, toNs: beginNs + 60n * MINUTE_NS };
  const { sensors, ...sums } = await dryRun({ ...parts, engine, document, ...range });
  const told = sensors.map(({ sensor, firings, firingMs, firstNs, lastNs }) =>
    [sensor, firings, firingMs / 60_000, minuteOf(firstNs), minuteOf(lastNs)].join(' '),
  );
  return { ...sums, told, asked };
}

it('absence is measured against the registry, up to now: who sent nothing at all is missed', async () => {
  const parts = await openParts();
  parts.clock.ms = 50 * 60_000;
  const readings = [reading('s1', 20), reading('s1', 31)];
  expect(await play(parts, { id: 'gone', absent: '10m' }, readings)).toMatchObject({
    readings: 2,
    firings: 4,
    told: ['s1 3 20 10 41', 's2 1 40 10 10'],
  });
  expect(await play(parts, { id: 'gone', sensors: 's1', absent: '20m' }, readings)).toMatchObject({
    told: ['s1 1 0 20 20'],
  });
  expect((await play(parts, { id: 'gone', metric: 'humidity', absent: '10m' }, [])).firings).toBe(0);
});

it('only the sensors of a rule are asked for', async () => {
  const parts = await openParts();
  const rule = { id: 'hot', metric: 'temperature', above: 30 };
  const readings = [reading('s1', 1, 31), reading('s2', 2, 32)];
  expect(await play(parts, { ...rule, sensors: ['s1', 'gone'] }, readings)).toMatchObject({
    told: ['s1 1 0 1 1'],
    asked: [['s1', 'gone']],
  });
  expect((await play(parts, { ...rule, sensors: 's*' }, readings)).asked).toEqual([['s1', 's2']]);
  expect((await play(parts, { ...rule, sensors: 'none-*' }, readings)).asked).toEqual([]);
  expect((await play(parts, rule, readings)).asked).toEqual([undefined]);
});

it('a sensor that moves out of the scope ends its alert, and begins anew when it is back', async () => {
  const parts = await openParts();
  const rule = { id: 'hot', metric: 'temperature', above: 30, location: 'hall' };
  const readings = [
    reading('s1', 0, 31, 'hall'),
    reading('s1', 5, 31, 'yard'),
    reading('s1', 10, 31, 'hall'),
    reading('s1', 15, 20, 'hall'),
    reading('s2', 16, 31, 'yard'),
  ];
  expect((await play(parts, rule, readings)).told).toEqual(['s1 2 10 0 10']);
});
