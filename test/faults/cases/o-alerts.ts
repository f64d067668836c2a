import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import type { FaultCase } from '../fault-case.ts';
import { NumberPublisher, WINDOW } from '../mqtt/numbered.ts';
import { metricsOf } from '../oracle/metrics.ts';
import { type Received, startReceiver } from '../webhook-receiver.ts';

/** More than are in flight, so that no sensor has two readings on the way. */
const SENSORS = 2 * WINDOW;
const RULE = { id: 'hot', metric: 'temperature', above: 30, notify: ['ops'] };
const MOST_RUNNING_MS = 1000;
/** So that every kill has something to interrupt. */
const LEAST_READINGS = 20;
const PAUSE_MS = 200;

interface Change {
  number: number;
  key: string;
  id: string;
  state: string;
  notifies: boolean;
}

export const faultCase: FaultCase = {
  id: 'o',
  title: 'kill -9 at random points while alerts fire, resolve and are notified',
  criterion:
    'Every change of an alert comes about once and in order, is stored, and is notified at least once, in order, each ' +
    'time with the same key and text; what was taken comes again at most once for each kill.',
  limitSeconds: { short: 180, long: 1200 },
  async run(bench) {
    const kills = bench.choose({ short: 8, long: 60 });
    const { url, received } = await startReceiver(bench);
    const env = { TIDEMARK_CONFIG: await writeSettings(bench, url) };
    const publisher = new NumberPublisher({
      url: bench.mqttUrl,
      topic: 'alternating',
      qos: 1,
      pauseMs: PAUSE_MS,
      // Each reading of a sensor is on the other side of the threshold than the one before.
      messageOf: (number) => ({
        topic: `sensors/${sensorOf(number)}/temperature`,
        payload: Math.floor(number / SENSORS) % 2 === 0 ? '31' : '29',
      }),
    });
    bench.defer(() => publisher.end());
    for (let kill = 0; kill < kills; kill++) {
      const platform = await bench.startPlatform({ env });
      if (kill === 0) publisher.start();
      await publisher.untilMore(LEAST_READINGS);
      await delay(bench.random() * MOST_RUNNING_MS);
      await platform.end('SIGKILL');
      bench.progress(`kill ${kill + 1} of ${kills}`);
    }
    await bench.startPlatform({ env });
    const readings = await publisher.finish();
    const changes = await changesOf(bench);
    assertChanges(changes, readings);
    await untilDelivered(bench);
    assert.equal(await storedChanges(bench, readings), readings, 'changes in the measurement');
    assertNotified(received, changes);
    const takenTwice = received.filter(({ isTaken }) => isTaken).length - readings;
    assert.ok(takenTwice <= kills, `${takenTwice} came again after they were taken, over ${kills} kills`);
    const refused = received.filter(({ isTaken }) => !isTaken).length;
    return { counts: { kills, changes: readings, missing: 0, takenTwice, refused }, recorded: {} };
  },
};

function sensorOf(number: number): string {
  return `s${number % SENSORS}`;
}

async function writeSettings(bench: Bench, url: string): Promise<string> {
  const file = join(bench.directory, 'tidemark.yaml');
  const channels = { ops: { type: 'webhook', url } };
  const notifications = { privateHosts: ['127.0.0.1'], retryMs: 20 };
  await writeFile(file, JSON.stringify({ rules: [RULE], channels, notifications }));
  return file;
}

/** All changes, oldest first, once all readings are evaluated. */
async function changesOf(bench: Bench): Promise<Change[]> {
  const behind = async () =>
    (await metricsOf(bench.httpUrl)).get('tidemark_spool_backlog_bytes', { cursor: 'alerts' });
  while ((await behind()) !== 0) await delay(100);
  const changes: Change[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const parameters = new URLSearchParams({ limit: '1000', ...(cursor !== '' && { cursor }) });
    const page: { items: Change[]; next: string | null } = await askJson(
      bench,
      `alerts/history?${parameters}`,
    );
    changes.push(...page.items);
    cursor = page.next;
  }
  return changes.reverse();
}

async function untilDelivered(bench: Bench): Promise<void> {
  for (;;) {
    const { items } = await askJson<{ items: { channel: string; reason: string | null; count: number }[] }>(
      bench,
      'notifications/counts',
    );
    bench.progress(`notifications: ${JSON.stringify(items)}`);
    assert.ok(
      items.every(({ reason }) => reason === null),
      'a notification went to the quarantine',
    );
    if (items.length === 0) return;
    await delay(100);
  }
}

/** How many changes the measurement holds, once it holds so many. */
async function storedChanges(bench: Bench, least: number): Promise<number> {
  const query = encodeURIComponent('SELECT count(firing) FROM alerts');
  for (;;) {
    const response = await fetch(`${bench.httpUrl}/query?db=tidemark&q=${query}`);
    const { results } = (await response.json()) as { results: { series?: { values: number[][] }[] }[] };
    const count = results[0]?.series?.[0]?.values[0]?.[1] ?? 0;
    bench.progress(`${count} of ${least} changes are stored`);
    if (count >= least) return count;
    await delay(100);
  }
}

/** Each reading has made one change: fires and resolves by turns, for each sensor. */
function assertChanges(changes: readonly Change[], readings: number): void {
  assert.equal(changes.length, readings, 'changes');
  assert.ok(
    changes.every(({ notifies }) => notifies),
    'a change notifies nobody',
  );
  for (const [id, ofAlert] of byAlert(changes)) {
    const wrong = ofAlert.find(({ state }, index) => state !== (index % 2 === 0 ? 'firing' : 'resolved'));
    assert.equal(wrong, undefined, `${id} does not fire and resolve by turns`);
  }
}

/** What came: each change's key, in order for each alert, and the same text each time. */
function assertNotified(received: readonly Received[], changes: readonly Change[]): void {
  const bodies = new Map<string, string>();
  for (const { key, body } of received) {
    assert.equal(bodies.get(key) ?? body, body, `${key} came with another text`);
    bodies.set(key, body);
  }
  const keys = new Set(changes.map(({ key }) => `${key}:ops`));
  const missing = [...keys].filter((key) => !bodies.has(key)).length;
  assert.equal(missing, 0, `${missing} changes were not notified`);
  assert.equal(bodies.size, keys.size, 'keys that no change has');
  const first = [...bodies.keys()];
  const places = new Map(first.map((key, place) => [key, place]));
  for (const [id, ofAlert] of byAlert(changes)) {
    const order = ofAlert.map(({ key }) => places.get(`${key}:ops`)!);
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
      `${id} was notified out of order`,
    );
  }
}

function byAlert(changes: readonly Change[]): Map<string, Change[]> {
  return Map.groupBy(changes, ({ id }) => id);
}

async function askJson<Answer>(bench: Bench, path: string): Promise<Answer> {
  const response = await fetch(`${bench.httpUrl}/api/v1/${path}`);
  assert.equal(response.status, 200, path);
  return (await response.json()) as Answer;
}
