import { expect, it } from 'vitest';
import { beginMs, openParts, startService, TestLog } from './testing/test-service.ts';

it('each minute the thresholds of every series that a rule watches are written, of rules with thresholds alone', async () => {
  const parts = await openParts();
  const log = new TestLog();
  const service = await startService(parts, log, 1);
  const cause = { actor: 'test' };
  service.put({ id: 'hot', metric: 'temperature', above: 30, clear: 28 }, cause);
  service.put({ id: 'out', metric: 'temperature', outside: [5, 40], sensors: 's2' }, cause);
  service.put({ id: 'same', metric: 'temperature', stuck: '1h' }, cause);
  service.put({ id: 'off', metric: 'temperature', below: 1, enabled: false }, cause);
  for (const sensor of ['s1', 's2']) log.add(sensor, 20, beginMs, beginMs);
  log.take(2, true);
  const written = () =>
    log.appended.map(({ measurement, tags, fields, timeNs }) => ({
      measurement,
      ...Object.fromEntries(tags),
      ...Object.fromEntries(fields),
      minute: Number(timeNs / 1_000_000n - BigInt(beginMs)) / 60_000,
    }));
  const point = (rule: string, sensor: string, bounds: object, minute: number) => ({
    measurement: 'rule_thresholds',
    metric: 'temperature',
    rule,
    sensor,
    ...bounds,
    minute,
  });
  const all = (minute: number) => [
    point('hot', 's1', { upper: 30 }, minute),
    point('hot', 's2', { upper: 30 }, minute),
    point('out', 's2', { lower: 5, upper: 40 }, minute),
  ];
  parts.clock.ms = 61_000;
  await expect.poll(written).toEqual(all(1));
  parts.clock.ms = 180_000;
  await expect.poll(written).toEqual([...all(1), ...all(3)]);
  await service.stop();
});
