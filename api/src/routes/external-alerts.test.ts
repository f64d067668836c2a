import { type Alert, TidemarkError } from '@tidemark/core';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { askerOf } from '../testing/ask.ts';
import { MemoryAlerts } from '../testing/memory-alerts.ts';
import { startTestPlatform } from '../testing/test-platform.ts';

let desk: MemoryAlerts;
let platform: Awaited<ReturnType<typeof startTestPlatform>>;
let ask: ReturnType<typeof askerOf>;
beforeAll(async () => {
  desk = new MemoryAlerts();
  platform = await startTestPlatform({ alerts: desk });
  ask = askerOf(platform.app);
});
afterAll(() => platform.stop());
beforeEach(() => {
  desk.taken.length = 0;
  desk.answers.clear();
});

const alert: Alert = {
  id: 'pump:-',
  rule: 'pump',
  sensor: '-',
  source: 'program',
  metric: undefined,
  state: 'firing',
  value: 7.5,
  sinceNs: 0n,
  severity: 'critical',
  message: 'the pump draws 7.5 A',
  isCurrent: true,
  acknowledged: undefined,
};

/** As Grafana 12 sends it. */
const fromGrafana = {
  status: 'firing',
  labels: { alertname: 'Zu heiß / hall', grafana_folder: 'Halls', sensor: 'hall-1', severity: 'critical' },
  annotations: { summary: 'Hall 1 is hot', description: 'Open the windows' },
  startsAt: '2026-05-01T14:00:00.5+02:00',
  endsAt: '0001-01-01T00:00:00Z',
  values: { C: 1, B: 31.5 },
  generatorURL: 'http://grafana.example.com/alerting/grafana/abc/view?orgId=1',
  fingerprint: '57c6d9296de2ad39',
  silenceURL: 'http://grafana.example.com/alerting/silence/new',
  dashboardURL: '',
  panelURL: '',
  valueString: "[ var='B' labels={sensor=hall-1} value=31.5 ], [ var='C' labels={sensor=hall-1} value=1 ]",
};
const messageOf = (...alerts: object[]) => ({
  receiver: 'tidemark',
  status: 'firing',
  orgId: 1,
  alerts,
  groupLabels: {},
  commonLabels: {},
  commonAnnotations: {},
  externalURL: 'http://grafana.example.com/',
  version: '1',
  groupKey: '{}:{}',
  truncatedAlerts: 0,
  title: '[FIRING:1]',
  state: 'alerting',
  message: '**Firing**',
});
const taken = {
  source: 'grafana',
  rule: 'grafana.Zu-heiß-hall',
  sensor: 'hall-1',
  fingerprint: '57c6d9296de2ad39',
  isFiring: true,
  severity: 'critical',
  message: 'Hall 1 is hot',
  value: 31.5,
  sinceNs: 1_777_636_800_500_000_000n,
  notify: ['ops', 'mail'],
};

it('takes what Grafana sends, and ignores what Tidemark itself gave to Grafana', async () => {
  const own = { ...fromGrafana, labels: { ...fromGrafana.labels, origin: 'tidemark' } };
  const bare = {
    status: 'resolved',
    labels: { severity: 'page', sensor: 'a/b' },
    annotations: null,
    startsAt: '2026-05-01T12:00:00Z',
    endsAt: '2026-05-01T12:01:00Z',
    values: null,
    fingerprint: 'f2',
  };
  const body = { ...messageOf(fromGrafana, own, bare), truncatedAlerts: 3 };
  const answer = await ask('POST', '/alerts/grafana?notify=ops&notify=mail', body);
  expect(answer).toMatchObject({ status: 200, json: { taken: 2, own: 1, leftOut: 3 } });
  expect(desk.taken).toMatchObject([
    taken,
    {
      rule: 'grafana.alert',
      sensor: undefined,
      isFiring: false,
      severity: 'warning',
      message: 'alert',
      value: undefined,
      endedNs: 1_777_636_860_000_000_000n,
    },
  ]);
  const metrics = await platform.parts.metrics.metrics();
  for (const [outcome, count] of [
    ['taken', 2],
    ['own', 1],
    ['left_out', 3],
    ['refused', 0],
  ])
    expect(metrics).toContain(
      `tidemark_alerts_external_total{source="grafana",outcome="${outcome}"} ${count}`,
    );
});

it('a wrong alert costs no other, and is named with its path', async () => {
  const wrong = { ...fromGrafana, fingerprint: '', startsAt: 'yesterday', labels: { alertname: 3 } };
  const answer = await ask('POST', '/alerts/grafana', messageOf(wrong, fromGrafana, 'none' as never));
  expect(answer).toMatchObject({ status: 400, json: { code: 'bad_request', taken: 1 } });
  const { errors } = answer.json as { errors: { path: string }[] };
  expect(errors.map(({ path }) => path)).toEqual([
    'alerts.0.labels.alertname',
    'alerts.0.startsAt',
    'alerts.0.fingerprint',
    'alerts.2',
  ]);
  expect(desk.taken).toMatchObject([{ ...taken, notify: [] }]);
});

it('has Grafana try again what there is no room for, and not what will never be taken', async () => {
  desk.answers.set(taken.rule, new TidemarkError('unavailable', 'too many', { retryable: true }));
  const full = await ask('POST', '/alerts/grafana', messageOf(fromGrafana));
  expect(full).toMatchObject({ status: 503, json: { code: 'unavailable', taken: 0 } });
  expect(full.headers.get('retry-after')).toBe('1');
  desk.answers.set(taken.rule, new TidemarkError('conflict', 'it is the id of a rule'));
  const refused = await ask('POST', '/alerts/grafana', messageOf(fromGrafana));
  expect(refused).toMatchObject({ status: 400, json: { errors: [{ message: 'it is the id of a rule' }] } });
});

it.each([
  [{}, 'alerts'],
  [[], ''],
  [{ alerts: Array(1001).fill(fromGrafana) }, 'alerts'],
])('refuses a body that is none of Grafana: %#', async (body, path) => {
  const answer = await ask('POST', '/alerts/grafana', body);
  expect(answer).toMatchObject({ status: 400, json: { errors: [{ path }] } });
  expect(desk.taken).toEqual([]);
});

it('a program raises and resolves alerts of its own', async () => {
  desk.answers.set('pump', alert);
  const body = { rule: 'pump', severity: 'critical', message: 'the pump draws {value} A', value: 7.5 };
  const raised = await ask('POST', '/alerts', body);
  expect(raised).toMatchObject({
    status: 200,
    json: { id: 'pump:-', source: 'program', state: 'firing', value: 7.5, metric: null },
  });
  expect(desk.taken).toEqual([
    {
      ...body,
      sensor: undefined,
      source: 'program',
      isFiring: true,
      notify: [],
      fingerprint: undefined,
      sinceNs: undefined,
      endedNs: undefined,
    },
  ]);
  await ask('POST', '/alerts', { rule: 'pump', sensor: 'p1', state: 'resolved', notify: ['ops'] });
  expect(desk.taken[1]).toMatchObject({
    sensor: 'p1',
    isFiring: false,
    severity: 'warning',
    notify: ['ops'],
  });
  expect(await ask('POST', '/alerts', { rule: 'other', state: 'resolved' })).toMatchObject({ status: 404 });
  desk.answers.set('hot', new TidemarkError('conflict', 'hot is the id of a rule'));
  expect(await ask('POST', '/alerts', { rule: 'hot' })).toMatchObject({ status: 409 });
});

it.each([
  [{}, 'rule'],
  [{ rule: 'a b' }, 'rule'],
  [{ rule: 'grafana.hot' }, 'rule'],
  [{ rule: 'a', sensor: 'a/b' }, 'sensor'],
  [{ rule: 'a', state: 'pending' }, 'state'],
  [{ rule: 'a', severity: 'page' }, 'severity'],
  [{ rule: 'a', value: '3' }, 'value'],
  [{ rule: 'a', message: 'x'.repeat(1001) }, 'message'],
  [{ rule: 'a', colour: 'red' }, 'colour'],
])('refuses %j, and says where', async (body, path) => {
  const answer = await ask('POST', '/alerts', body);
  expect(answer).toMatchObject({ status: 400, json: { errors: [{ path }] } });
  expect(desk.taken).toEqual([]);
});
