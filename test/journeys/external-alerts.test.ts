import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IPublishPacket } from 'mqtt-packet';
import { expect, it, onTestFinished } from 'vitest';
import { type PlatformProcess, startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startWebhookServer } from '../support/webhook-server.ts';

type Item = Record<string, unknown>;

it("an alert of Grafana's joins the others: notified, acknowledged, stored, published, and once over a kill -9", async () => {
  const { url, calls } = await startWebhookServer();
  const dataDir = await tempDir();
  const config = join(dataDir, 'tidemark.yaml');
  const channels = { ops: { type: 'webhook', url } };
  await writeFile(config, JSON.stringify({ channels, notifications: { privateHosts: ['127.0.0.1'] } }));
  let platform: PlatformProcess | undefined;
  onTestFinished(async () => void (await platform?.end('SIGKILL')));
  const start = async () => {
    platform = await startPlatform({ dataDir, env: { TIDEMARK_CONFIG: config } });
  };
  const post = async (path: string, body: object): Promise<Item> => {
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'POST', headers, body: JSON.stringify(body) };
    const answer = await fetch(`${platform!.httpUrl}/api/v1/${path}`, request);
    expect(answer.status).toBe(200);
    return (await answer.json()) as Item;
  };
  const before = (ms: number): string => new Date(Date.now() - ms).toISOString();
  const startsAt = before(60_000);
  const alert = {
    status: 'firing',
    labels: { alertname: 'Disk full', sensor: 'server-1', severity: 'critical' },
    annotations: { summary: 'server-1 is at 97 %' },
    startsAt,
    endsAt: '0001-01-01T00:00:00Z',
    values: { B: 97, C: 1 },
    fingerprint: '57c6d9296de2ad39',
  };
  const own = { ...alert, labels: { alertname: 'Tidemark', origin: 'tidemark' }, fingerprint: 'f2' };

  await start();
  const fire = () => post('alerts/grafana?notify=ops', { alerts: [alert, own], truncatedAlerts: 0 });
  expect(await fire()).toEqual({ taken: 1, own: 1, leftOut: 0 });
  await platform!.end('SIGKILL');
  await start();
  await fire();
  const id = 'grafana.Disk-full:server-1';
  await post(`alerts/${id}/ack`, { by: 'ann' });
  await fire();
  await post('alerts/grafana', { alerts: [{ ...alert, status: 'resolved', endsAt: before(30_000) }] });

  await expect.poll(() => new Set(calls.map(({ key }) => key)).size).toBe(3);
  const states = new Map(calls.map(({ key, body }) => [key, (JSON.parse(body) as Item).state]));
  expect([...states.values()]).toEqual(['firing', 'acknowledged', 'resolved']);
  expect(JSON.parse(calls[0]!.body)).toMatchObject({
    id,
    severity: 'critical',
    value: 97,
    message: 'server-1 is at 97 %',
  });

  const page = await RawMqtt.connect(platform!.mqttUrl, 'page');
  page.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'alerts/#', qos: 0 }] });
  const retained = (await page.until(({ cmd }) => cmd === 'publish')) as IPublishPacket;
  expect(retained.topic).toBe('alerts/grafana.Disk-full/server-1');
  expect(JSON.parse(String(retained.payload))).toMatchObject({ id, state: 'resolved' });

  const query = encodeURIComponent('SELECT state, value FROM alerts GROUP BY rule, sensor, severity');
  const stored = async () => {
    const answer = await fetch(`${platform!.httpUrl}/query?db=tidemark&q=${query}`);
    const { results } = (await answer.json()) as { results: { series?: { values: unknown[][] }[] }[] };
    return results[0]?.series?.[0]?.values.map(([, ...values]) => values);
  };
  // In the order of what happened, although Grafana says that it ended before it was acknowledged.
  await expect.poll(stored).toEqual([
    ['firing', 97],
    ['acknowledged', 97],
    ['resolved', 97],
  ]);
});
