import { type AlertTransition, NS_PER_MS } from '@tidemark/core';
import type { MetaDb } from '@tidemark/store';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { AlertService } from './alert-service.ts';
import { beginMs, openParts, startService, TestLog } from './testing/test-service.ts';

const cause = { actor: 'test' };
const shown = ({ sensor, state, value, timeNs }: AlertTransition): string =>
  `${sensor} ${state} ${value} ${Number(timeNs / NS_PER_MS) - beginMs}`;

function clear(db: MetaDb): void {
  for (const table of ['alert_progress', 'alert_series', 'alert_transitions', 'alert_readers', 'rules'])
    db.exec(`DELETE FROM ${table}`);
}

interface Steps {
  sensor: string;
  value: number;
  timeMs: number;
  taken: number;
  isSaved: boolean;
  isKilled: boolean;
}

it('whenever it is killed and started again, the same transitions come about, each once', async () => {
  const parts = await openParts();
  const reading = fc.record({
    sensor: fc.constantFrom('s1', 's2'),
    value: fc.integer({ min: 0, max: 10 }),
    // Some are far ahead of the clock.
    timeMs: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.constant(200_000)),
    taken: fc.integer({ min: 1, max: 3 }),
    isSaved: fc.boolean(),
    isKilled: fc.boolean(),
  });
  const rules = [
    { id: 'hot', metric: 'temperature', above: 6, clear: 4, for: '20ms' },
    { id: 'fast', metric: 'temperature', rate: { above: 3, per: '10ms' } },
    { id: 'same', metric: 'temperature', stuck: '30ms' },
  ];
  const play = async (readings: readonly Steps[], kills: boolean) => {
    clear(parts.db);
    const log = new TestLog();
    let service = await startService(parts, log);
    for (const rule of rules) service.put(rule, cause);
    for (const one of readings) {
      log.add(one.sensor, one.value, beginMs + one.timeMs, beginMs + 200);
      log.take(kills ? one.taken : 1, kills ? one.isSaved : true);
      if (!kills || !one.isKilled) continue;
      // What was not saved is gone with it.
      await service.stop();
      service = await startService(parts, log);
    }
    log.take(1000, true);
    const told = service.alerts.transitionsAfter(0, 10_000);
    await service.stop();
    return told.map((one) => `${one.rule} ${shown(one)}`).sort();
  };
  await fc.assert(
    fc.asyncProperty(fc.array(reading, { maxLength: 30 }), async (readings) => {
      expect(await play(readings, true)).toEqual(await play(readings, false));
    }),
    { numRuns: 200 },
  );
});

/** The alerts as `id state`, as soon as they are what is expected. */
function expectSoon(service: AlertService) {
  const states = (): string[] => [...service.alerts.alerts()].map(({ id, state }) => `${id} ${state}`);
  return expect.poll(states, { interval: 5, timeout: 10_000 });
}

it('absence goes by a clock that runs while the platform does, and begins where it was saved', async () => {
  const parts = await openParts();
  const log = new TestLog();
  const { clock } = parts;
  const pass = (ms: number): void => {
    clock.ms += ms;
    log.seenAtMs = clock.ms;
    log.caughtUpAtMs = clock.ms;
  };
  let service = await startService(parts, log, 1);
  service.put({ id: 'silent', sensors: 's1', absent: '10m' }, cause);
  pass(0);
  log.add('s1', 1, beginMs, beginMs);
  log.take(1, true);
  pass(6 * 60_000);
  await expect
    .poll(() => parts.db.prepare('SELECT ran_ms FROM alert_progress').get())
    .toMatchObject({ ran_ms: 360_000 });
  await service.stop();
  // An hour in which the platform stands still is nobody's silence.
  clock.ms += 3_600_000;
  log.caughtUpAtMs = clock.ms;
  service = await startService(parts, log, 1);
  pass(3 * 60_000);
  await expect
    .poll(() => parts.db.prepare('SELECT ran_ms FROM alert_progress').get())
    .toMatchObject({ ran_ms: 540_000 });
  await expectSoon(service).toEqual([]);
  // A tenth of what is allowed may be added, since what is heard is not saved each time.
  pass(2 * 60_000);
  await expectSoon(service).toEqual(['silent:s1 firing']);
  log.add('s1', 1, beginMs, beginMs);
  log.take(1, true);
  await expectSoon(service).toEqual(['silent:s1 resolved']);
  await service.stop();
});

it('a metric that is told as text is not missed', async () => {
  const parts = await openParts();
  const log = new TestLog();
  const service = await startService(parts, log, 1);
  service.put({ id: 'mute', sensors: 's1', metric: 'temperature', absent: '10m' }, cause);
  const tell = (field: string, value: string | number): void => {
    const tags = [['sensor', 's1'] as const];
    const timeNs = BigInt(beginMs) * NS_PER_MS;
    log.addPoint({ measurement: 'readings', tags, fields: [[field, value]], timeNs }, beginMs);
    log.take(1, true);
  };
  tell('temperature', 1);
  parts.clock.ms += 11 * 60_000;
  log.seenAtMs = parts.clock.ms;
  log.caughtUpAtMs = parts.clock.ms;
  await expectSoon(service).toEqual(['mute:s1 firing']);
  tell('humidity_text', 'dry');
  tell('temperature_text', 'warm');
  await expectSoon(service).toEqual(['mute:s1 resolved']);
  await service.stop();
});

it('a camera that tells positions is not missed', async () => {
  const parts = await openParts();
  const log = new TestLog();
  const service = await startService(parts, log, 1);
  service.put({ id: 'silent', sensors: 's1', absent: '10m' }, cause);
  const tell = (): void => {
    const tags = [['sensor', 's1'] as const, ['type', 'car'] as const];
    const timeNs = BigInt(beginMs) * NS_PER_MS;
    log.addPoint({ measurement: 'travellers', tags, fields: [['x', 1]], timeNs }, beginMs);
    log.take(1, true);
  };
  tell();
  parts.clock.ms += 11 * 60_000;
  log.seenAtMs = parts.clock.ms;
  log.caughtUpAtMs = parts.clock.ms;
  await expectSoon(service).toEqual(['silent:s1 firing']);
  tell();
  await expectSoon(service).toEqual(['silent:s1 resolved']);
  await service.stop();
});

it('a sensor that is gone is missed, however often the platform restarts meanwhile', async () => {
  const parts = await openParts();
  const log = new TestLog();
  const { clock } = parts;
  let service = await startService(parts, log, 1);
  service.put({ id: 'silent', sensors: 's1', absent: '10m' }, cause);
  log.add('s1', 1, beginMs, beginMs);
  log.take(1, true);
  for (let ranMs = 50_000; ranMs <= 700_000; ranMs += 50_000) {
    clock.ms += 50_000;
    log.seenAtMs = clock.ms;
    log.caughtUpAtMs = clock.ms;
    await expect
      .poll(() => parts.db.prepare('SELECT ran_ms FROM alert_progress').get())
      .toMatchObject({ ran_ms: ranMs });
    await service.stop();
    service = await startService(parts, log, 1);
  }
  await expectSoon(service).toEqual(['silent:s1 firing']);
  await service.stop();
});

it('a failed check fires, and ends when none has failed for a while', async () => {
  const parts = await openParts();
  const log = new TestLog();
  const service = await startService(parts, log, 1);
  service.put({ id: 'bad', quality: ['range'] }, cause);
  const fail = (check: string, sensor: string): void => {
    const tags = [['check', check] as const, ['sensor', sensor] as const];
    const timeNs = BigInt(beginMs) * NS_PER_MS;
    log.addPoint({ measurement: 'quality', tags, fields: [['count', 3n]], timeNs }, beginMs + 60_000);
    log.take(1, true);
  };
  fail('jump', 's1');
  fail('range', '#others');
  await expectSoon(service).toEqual([]);
  fail('range', 's1');
  await expectSoon(service).toEqual(['bad:s1 firing']);
  parts.clock.ms += 11 * 60_000;
  log.caughtUpAtMs = parts.clock.ms;
  await expectSoon(service).toEqual(['bad:s1 resolved']);
  await service.stop();
});

it('a rule in other words keeps its alerts, one that asks another thing resolves them', async () => {
  const parts = await openParts();
  const log = new TestLog();
  const service = await startService(parts, log);
  const rule = { id: 'hot', metric: 'temperature', above: 30 };
  service.put(rule, cause);
  for (const sensor of ['s1', 's2']) log.add(sensor, 31, beginMs, beginMs);
  log.take(2, true);
  await expectSoon(service).toEqual(['hot:s1 firing', 'hot:s2 firing']);
  service.put({ ...rule, message: 'other words' }, cause);
  await expectSoon(service).toEqual(['hot:s1 firing', 'hot:s2 firing']);
  service.put({ ...rule, above: 40 }, cause);
  await expectSoon(service).toEqual([]);
  expect(service.alerts.transitionsAfter(2, 10).map((one) => `${shown(one)} ${one.comment}`)).toEqual([
    's1 resolved 31 0 the rule was changed',
    's2 resolved 31 0 the rule was changed',
  ]);
  await service.stop();
});

it('alerts of a rule that went while the platform was down are resolved, and what is retained is cleared', async () => {
  const parts = await openParts();
  const log = new TestLog();
  let service = await startService(parts, log);
  service.put({ id: 'hot', metric: 'temperature', above: 30 }, cause);
  log.add('s1', 31, beginMs, beginMs);
  log.take(1, true);
  await service.stop();
  parts.db.exec('DELETE FROM rules');
  const retained: string[][] = [];
  const retain = async (topic: string, payload: string) =>
    void retained.push([topic, payload && (JSON.parse(payload) as { state: string }).state]);
  service = await startService({ ...parts, topics: { ...parts.topics, retain } }, log, 1);
  await expect.poll(() => retained.at(-1), { timeout: 10_000 }).toEqual(['alerts/hot/s1', '']);
  expect(service.alerts.transitionsAfter(0, 10).map(({ state, comment }) => [state, comment])).toEqual([
    ['firing', undefined],
    ['resolved', 'the rule is gone'],
  ]);
  expect([...service.alerts.alerts()]).toEqual([]);
  await service.stop();
});

it('a channel that is not in the configuration is told when a rule is validated', async () => {
  const service = await startService(await openParts(), new TestLog());
  const rule = { id: 'hot', metric: 'temperature', above: 30, notify: ['ops'] };
  expect(service.validate(rule)).toEqual({
    errors: [],
    warnings: [{ path: 'notify.0', message: 'there is no channel ops in the configuration' }],
  });
  await service.stop();
});

it('what rules of the configuration file name that there is not is told, and they are taken all the same', async () => {
  const rules = [
    { id: 'hot', metric: 'temprature', above: 30, notify: ['ops'] },
    { id: 'cold', metric: 'temperature', below: 5 },
  ];
  const service = await startService(await openParts({ rules }), new TestLog());
  expect(service.fileDoubts()).toEqual([
    { path: 'hot.metric', message: 'no registered sensor has a metric temprature' },
    { path: 'hot.notify.0', message: 'there is no channel ops in the configuration' },
  ]);
  expect([...service.rules()]).toHaveLength(2);
  await service.stop();
});
