import { type Alert, createMetrics, type ExternalAlert, NS_PER_MS, TidemarkError } from '@tidemark/core';
import { expect, it } from 'vitest';
import type { AlertService } from './alert-service.ts';
import { beginMs, openParts, startService, TestLog } from './testing/test-service.ts';

const cause = { actor: 'test' };
const beginNs = BigInt(beginMs) * NS_PER_MS;

function told(differences: Partial<ExternalAlert> = {}): ExternalAlert {
  return {
    source: 'grafana',
    rule: 'grafana.hot',
    sensor: 's1',
    fingerprint: 'f1',
    isFiring: true,
    severity: 'warning',
    message: '{sensor} is hot',
    value: 31,
    sinceNs: beginNs - 60_000n * NS_PER_MS,
    endedNs: undefined,
    notify: ['ops'],
    ...differences,
  };
}

const program = { source: 'program', rule: 'pump', fingerprint: undefined, sinceNs: undefined } as const;

function take(service: AlertService, ...alerts: ExternalAlert[]): string[] {
  return service.alerts.take(alerts).map((one) => {
    if (one instanceof TidemarkError) return one.code;
    return one === undefined ? 'unknown' : shown(one);
  });
}

const shown = ({ id, state, value }: Alert): string => `${id} ${state} ${value}`;
const list = (service: AlertService): string[] => [...service.alerts.alerts()].map(shown);
const history = (service: AlertService): string[] =>
  service.alerts
    .transitionsAfter(0, 1000)
    .map(({ alert, state, notifies }) => `${alert} ${state}${notifies ? ', told' : ''}`);

it('the same said again changes nothing but the value, over a restart too', async () => {
  const parts = await openParts();
  let service = await startService(parts, new TestLog());
  expect(take(service, told())).toEqual(['grafana.hot:s1 firing 31']);
  expect(take(service, told({ value: 32 }), told({ value: 33 }))).toEqual([
    'grafana.hot:s1 firing 32',
    'grafana.hot:s1 firing 33',
  ]);
  await service.stop();
  service = await startService(parts, new TestLog());
  expect(take(service, told({ value: 34 }))).toEqual(['grafana.hot:s1 firing 34']);
  expect(service.alerts.alert('grafana.hot:s1')).toMatchObject({
    source: 'grafana',
    sinceNs: beginNs - 60_000n * NS_PER_MS,
    message: 's1 is hot',
    isCurrent: true,
  });
  const ended = told({ isFiring: false, value: undefined, endedNs: beginNs - 1n });
  expect(take(service, ended, ended)).toEqual(['grafana.hot:s1 resolved 34', 'grafana.hot:s1 resolved 34']);
  expect(take(service, told({ fingerprint: 'f2', isFiring: false }))).toEqual(['unknown']);
  expect(history(service)).toEqual(['grafana.hot:s1 firing, told', 'grafana.hot:s1 resolved, told']);
  expect(service.alerts.transitionsAfter(1, 1)).toMatchObject([{ timeNs: beginNs - 1n }]);
  await service.stop();
});

it('one whose end was missed fires anew, and so does one of another severity', async () => {
  const parts = await openParts();
  const service = await startService(parts, new TestLog());
  take(service, told());
  service.alerts.acknowledge('grafana.hot:s1', { actor: 'ann' });
  take(service, told());
  expect(list(service)).toEqual(['grafana.hot:s1 acknowledged 31']);
  take(service, told({ sinceNs: beginNs }));
  expect(list(service)).toEqual(['grafana.hot:s1 firing 31']);
  // A clock that is ahead tells the same again with the same time.
  const ahead = told({ sinceNs: beginNs + 60_000n * NS_PER_MS, severity: 'critical' });
  take(service, ahead, ahead);
  expect(history(service)).toEqual([
    'grafana.hot:s1 firing, told',
    'grafana.hot:s1 acknowledged, told',
    'grafana.hot:s1 firing, told',
    'grafana.hot:s1 firing, told',
  ]);
  expect(service.alerts.alert('grafana.hot:s1')).toMatchObject({ sinceNs: beginNs, severity: 'critical' });
  await service.stop();
});

it('ended by hand, Grafana must end it before it fires again, and a program need not', async () => {
  const parts = await openParts();
  let service = await startService(parts, new TestLog());
  take(service, told(), told(program));
  for (const id of ['grafana.hot:s1', 'pump:s1']) service.alerts.resolve(id, { actor: 'ann' });
  await service.stop();
  service = await startService(parts, new TestLog());
  expect(take(service, told(), told(program))).toEqual(['grafana.hot:s1 resolved 31', 'pump:s1 firing 31']);
  take(service, told({ isFiring: false }));
  expect(take(service, told())).toEqual(['grafana.hot:s1 firing 31']);
  await service.stop();
});

it('silences hold for them, and they are counted by state', async () => {
  const metrics = createMetrics();
  const service = await startService({ ...(await openParts()), metrics }, new TestLog());
  const silence = { rule: undefined, sensor: 's*', severity: undefined, by: 'ann', comment: undefined };
  service.alerts.silence({ ...silence, untilNs: beginNs + 3_600_000n * NS_PER_MS });
  expect(take(service, told(), told({ sensor: 'x1', fingerprint: 'f2' }))).toEqual([
    'grafana.hot:s1 silenced 31',
    'grafana.hot:x1 firing 31',
  ]);
  service.alerts.acknowledge('grafana.hot:x1', { actor: 'ann' });
  const { values } = await metrics.getSingleMetric('tidemark_alerts_active')!.get();
  expect(values.map(({ labels, value }) => [labels.state, value])).toEqual([
    ['pending', 0],
    ['firing', 0],
    ['acknowledged', 1],
    ['silenced', 1],
  ]);
  await service.stop();
});

it('two that go by one name are told apart, and the name of one that ended is free', async () => {
  const parts = await openParts();
  const service = await startService(parts, new TestLog());
  const second = { fingerprint: 'f2', value: 5 };
  expect(take(service, told(), told(second), told({ sensor: undefined, fingerprint: 'f3' }))).toEqual([
    'grafana.hot:s1 firing 31',
    'grafana.hot:s1~f2 firing 5',
    'grafana.hot:f3 firing 31',
  ]);
  take(service, told({ isFiring: false }));
  expect(take(service, told({ fingerprint: 'f4', value: 6 }), told({ value: 7 }))).toEqual([
    'grafana.hot:s1 firing 6',
    'grafana.hot:s1~f1 firing 7',
  ]);
  expect(take(service, told({ ...program, sensor: undefined }))).toEqual(['pump:- firing 31']);
  await service.stop();
});

it("the id of a rule is the rule's: what another program has under it ends when the rule is made", async () => {
  const parts = await openParts();
  const service = await startService(parts, new TestLog());
  take(service, told(program));
  service.put({ id: 'pump', metric: 'temperature', above: 30 }, cause);
  expect(list(service)).toEqual([]);
  expect(take(service, told(program))).toEqual(['conflict']);
  expect(history(service)).toEqual(['pump:s1 firing, told', 'pump:s1 resolved, told']);
  await service.stop();
});

it('there is room for so many: those that ended go first, and one more is refused', async () => {
  const parts = await openParts({ 'alerts.maxExternal': 2 });
  const retained: string[] = [];
  const retain = async (topic: string, payload: string) =>
    void retained.push(`${topic} ${payload.length > 0}`);
  const service = await startService({ ...parts, topics: { ...parts.topics, retain } }, new TestLog());
  const of = (name: string) => told({ sensor: name, fingerprint: name });
  expect(take(service, of('a'), of('b'), of('c'))).toEqual([
    'grafana.hot:a firing 31',
    'grafana.hot:b firing 31',
    'unavailable',
  ]);
  take(service, { ...of('a'), isFiring: false });
  expect(take(service, of('c'))).toEqual(['grafana.hot:c firing 31']);
  expect(list(service)).toEqual(['grafana.hot:b firing 31', 'grafana.hot:c firing 31']);
  await expect.poll(() => retained.includes('alerts/grafana.hot/a false')).toBe(true);
  await service.stop();
});
