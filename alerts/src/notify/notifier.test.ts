import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import {
  type AlertTransition,
  type Clock,
  createMetrics,
  loadConfig,
  type SetAsideReason,
  silentLogger,
  systemClock,
  type TidemarkError,
} from '@tidemark/core';
import { AuditLog, inTransaction, openMetaDb, SensorRegistry } from '@tidemark/store';
import { expect, it, onTestFinished } from 'vitest';
import { Notifier } from './notifier.ts';

interface Received {
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: string;
}

/** A server on loopback that keeps what it receives, and answers as `answer` says. */
async function startServer(answer: (response: ServerResponse, count: number, request: Received) => void) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const one = { url: request.url, headers: request.headers, body: await text(request) };
    received.push(one);
    answer(response, received.length, one);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { received, url: `http://127.0.0.1:${port}/hook` };
}

const ok = (response: ServerResponse): void => void response.end('ok');
const status = (code: number) => (response: ServerResponse) => void response.writeHead(code).end();

function startNotifier(
  channels: Record<string, unknown>,
  {
    notifications = {},
    dataDir = newDir(),
    clock = systemClock,
  }: { notifications?: object; dataDir?: string; clock?: Clock } = {},
) {
  const config = loadConfig({
    overrides: {
      dataDir,
      channels,
      notifications: { retryMs: 1, privateHosts: ['127.0.0.1'], ...notifications },
    },
  });
  const db = openMetaDb(join(dataDir, 'meta.db'));
  const metrics = createMetrics();
  const shared = { config, db, metrics, clock, logger: silentLogger };
  const published: string[][] = [];
  const notifier = new Notifier({
    ...shared,
    audit: new AuditLog({ ...shared, maxEntries: 100 }),
    directory: new SensorRegistry({ ...shared, limits: config.registry }),
    topics: {
      retain: async () => {},
      publish: async (...message) => void published.push(message),
    },
  });
  notifier.start();
  const stop = async () => {
    await notifier.stop();
    db.close();
  };
  onTestFinished(async () => {
    if (db.isOpen) await stop();
  });
  const add = (...transitions: AlertTransition[]) => inTransaction(db, () => notifier.add(transitions))();
  const setAside = () => notifier.list({ state: 'quarantined', limit: 100 });
  const value = async (name: string, labels: Record<string, string>) => {
    const { values } = await metrics.getSingleMetric(name)!.get();
    const names = Object.entries(labels);
    return values.find((one) => names.every(([label, is]) => one.labels[label] === is))?.value;
  };
  return { notifier, add, setAside, stop, value, published, db };
}

function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'tidemark-notify-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

let number = 0;

function change(parts: Partial<AlertTransition> = {}): AlertTransition {
  number += 1;
  const sensor = parts.sensor ?? 'greenhouse-1';
  return {
    number,
    key: `change-${number}`,
    alert: `too-hot:${sensor}`,
    rule: 'too-hot',
    sensor,
    metric: 'temperature',
    state: 'firing',
    value: 31.5,
    sinceNs: 1_777_000_000_000_000_000n,
    timeNs: 1_777_000_060_000_000_000n,
    recordedNs: 1_777_000_061_000_000_000n,
    severity: 'warning',
    message: 'it is "hot"',
    actor: undefined,
    comment: undefined,
    notifies: true,
    isCurrent: true,
    notify: ['ops'],
    ...parts,
  };
}

it('a change is posted once, signed, with its key, and is kept no longer', async () => {
  const server = await startServer(ok);
  const secret = 'a secret of some length';
  const { add, notifier, value } = startNotifier({
    ops: { type: 'webhook', url: server.url, secret, headers: { 'X-Team': 'green' } },
  });
  add(change({ key: 'k1', notify: ['ops', 'ops'] }), change({ key: 'k2', notifies: false }));
  await expect.poll(() => server.received.length).toBe(1);
  const [{ headers, body } = server.received[0]!] = server.received;
  expect(headers).toMatchObject({
    'idempotency-key': 'k1:ops',
    'content-type': 'application/json',
    'x-team': 'green',
  });
  const [, time, signature] = /^t=(\d+),v1=(.*)$/.exec(String(headers['tidemark-signature']))!;
  expect(signature).toBe(createHmac('sha256', secret).update(`${time}.${body}`).digest('hex'));
  expect(JSON.parse(body)).toEqual({
    id: 'too-hot:greenhouse-1',
    rule: 'too-hot',
    sensor: 'greenhouse-1',
    metric: 'temperature',
    location: null,
    state: 'firing',
    value: 31.5,
    severity: 'warning',
    message: 'it is "hot"',
    since: '2026-04-24T03:06:40Z',
    time: '2026-04-24T03:07:40Z',
    ends: '9999-12-31T23:59:59Z',
    by: null,
    comment: null,
    key: 'k1:ops',
  });
  await expect.poll(() => notifier.counts()).toEqual([]);
  expect(await value('tidemark_notifications_delivered_total', { channel: 'ops' })).toBe(1);
});

it('a template takes fields as text and as JSON', async () => {
  const server = await startServer(ok);
  const { add } = startNotifier({
    ops: { type: 'webhook', url: server.url, body: '{"text": {json:message}, "by": {json:by}}' },
    phone: { type: 'webhook', url: server.url, body: '{state}: {message}{comment}' },
  });
  add(change({ notify: ['ops', 'phone'] }));
  await expect.poll(() => server.received.length).toBe(2);
  const bodies = server.received.map(({ headers, body }) => [headers['content-type'], body]).sort();
  expect(bodies).toEqual([
    ['application/json', '{"text": "it is \\"hot\\"", "by": null}'],
    ['text/plain; charset=utf-8', 'firing: it is "hot"'],
  ]);
});

it('what fails is tried again with the same key; the rest of its alert waits for it, other alerts do not', async () => {
  const server = await startServer((response, _count, { body }) => {
    const { sensor } = JSON.parse(body) as { sensor: string };
    const isBad = sensor === 'bad' && server.received.filter((one) => one.body.includes('"bad"')).length < 4;
    status(isBad ? 500 : 204)(response);
  });
  const { add, value } = startNotifier({ ops: { type: 'webhook', url: server.url } });
  add(
    change({ key: 'a', sensor: 'bad' }),
    change({ key: 'b', sensor: 'bad', state: 'resolved' }),
    change({ key: 'c', sensor: 'good' }),
  );
  await expect.poll(() => server.received.length).toBe(6);
  const keys = server.received.map(({ headers }) => headers['idempotency-key']);
  expect(keys.filter((key) => key !== 'c:ops')).toEqual(['a:ops', 'a:ops', 'a:ops', 'a:ops', 'b:ops']);
  expect(keys.indexOf('c:ops')).toBeLessThan(5);
  expect(await value('tidemark_notifications_failed_tries_total', { channel: 'ops' })).toBe(3);
});

it('an hour of 500s is sat out with pauses that grow, and then it is delivered with the key it had', async () => {
  const minuteNs = 60_000_000_000n;
  const beginNs = systemClock.nowNs();
  let nowNs = beginNs;
  const clock: Clock = { nowNs: () => nowNs, monotonicMs: systemClock.monotonicMs };
  const server = await startServer((response) =>
    status(nowNs < beginNs + 60n * minuteNs ? 500 : 204)(response),
  );
  const { add, notifier, setAside } = startNotifier(
    { ops: { type: 'webhook', url: server.url } },
    { notifications: { retryMs: 1000 }, clock },
  );
  add(change({ key: 'k' }));
  const [first] = notifier.list({ limit: 1 });
  const pausesMs: number[] = [];
  for (let tries = 1; notifier.get(first!.id) !== undefined; tries++) {
    await expect.poll(() => notifier.get(first!.id)?.attempts ?? tries).toBe(tries);
    const failed = notifier.get(first!.id);
    if (failed === undefined) break;
    pausesMs.push(Number(failed.nextNs - nowNs) / 1e6);
    nowNs = failed.nextNs;
    // Nothing matches, and those who wait look at the clock.
    notifier.replay({ id: '0' }, { actor: 'test' });
  }
  expect(pausesMs).toEqual(Array.from({ length: 12 }, (_, tries) => 1000 * 2 ** tries));
  expect(new Set(server.received.map(({ headers }) => headers['idempotency-key']))).toEqual(
    new Set(['k:ops']),
  );
  expect(server.received).toHaveLength(13);
  expect(setAside()).toEqual([]);
});

it('other channels are taken over: what one had waits for the new one, what is for none is set aside', async () => {
  const hanging = await startServer(() => {});
  const fresh = await startServer(ok);
  const same = { type: 'webhook', url: (await startServer(() => {})).url };
  const { add, notifier, setAside } = startNotifier({
    ops: { type: 'webhook', url: hanging.url },
    gone: { type: 'webhook', url: hanging.url },
    same,
  });
  add(change({ key: 'k', notify: ['ops', 'gone', 'same'] }));
  await expect.poll(() => hanging.received.length).toBe(2);
  const { channels } = loadConfig({
    overrides: { channels: { ops: { type: 'webhook', url: fresh.url }, same } },
  });
  await notifier.setChannels(channels);
  await expect.poll(() => fresh.received.map(({ headers }) => headers['idempotency-key'])).toEqual(['k:ops']);
  expect(setAside().map(({ key, reason }) => [key, reason])).toEqual([['k:gone', 'unknown_channel']]);
  expect([...notifier.channels().keys()]).toEqual(['ops', 'same']);
  expect(notifier.health().map(({ name }) => name)).toEqual(['notify ops', 'notify same']);
  // The one that is as it was has not tried again: it waits for its answer still.
  expect(notifier.list({ channel: 'same', limit: 1 })).toMatchObject([{ attempts: 0 }]);
});

it('a test tells what came of it, and leaves nothing behind', async () => {
  let code = 404;
  const server = await startServer((response) => status(code)(response));
  const { notifier } = startNotifier({ ops: { type: 'webhook', url: server.url } });
  expect(await notifier.test('ops')).toBe('answered 404');
  code = 500;
  expect(await notifier.test('ops')).toBe('answered 500');
  code = 200;
  expect(await notifier.test('ops')).toBeUndefined();
  await expect(notifier.test('other')).rejects.toMatchObject({ code: 'not_found' });
  expect(notifier.counts()).toEqual([]);
  const keys = server.received.map(({ headers }) => headers['idempotency-key']);
  expect(new Set(keys).size).toBe(3);
});

it('a channel that hangs is given up in time, holds no other, and what it had is delivered later', async () => {
  let hangs = true;
  const slow = await startServer((response) => void (hangs || ok(response)));
  const quick = await startServer(ok);
  const { add, notifier } = startNotifier(
    { slow: { type: 'webhook', url: slow.url }, quick: { type: 'webhook', url: quick.url } },
    { notifications: { timeoutMs: 200 } },
  );
  add(change({ notify: ['slow', 'quick'] }), change({ notify: ['slow', 'quick'] }));
  await expect.poll(() => quick.received.length).toBe(2);
  const detail = () => notifier.list({ channel: 'slow', limit: 10 })[0]?.detail;
  await expect.poll(detail).toBe('no answer within 200 ms');
  expect(notifier.health()).toContainEqual({
    name: 'notify slow',
    status: 'warn',
    message: 'no answer within 200 ms',
  });
  hangs = false;
  await expect.poll(() => notifier.counts()).toEqual([]);
  await expect.poll(() => notifier.health().map((part) => part.status)).toEqual(['pass', 'pass']);
});

it.each<[string, SetAsideReason, (response: ServerResponse) => void]>([
  ['a 404', 'refused', status(404)],
  [
    'a redirect to another host',
    'redirected',
    (response) => void response.writeHead(307, { location: 'http://localhost:1/' }).end(),
  ],
  [
    'a redirect to a private address',
    'redirected',
    (response) => void response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(),
  ],
  [
    'redirects without end',
    'redirected',
    (response) => void response.writeHead(307, { location: '/hook' }).end(),
  ],
])(
  '%s goes to the quarantine, is replayed with the same key, and is discarded',
  async (_, reason, answer) => {
    let isMended = false;
    const server = await startServer((response) => (isMended ? ok(response) : answer(response)));
    const { add, setAside, notifier, value } = startNotifier({ ops: { type: 'webhook', url: server.url } });
    add(change({ key: 'k', sensor: 'a' }), change({ key: 'l', sensor: 'b' }));
    await expect
      .poll(() => setAside().map((one) => [one.key, one.reason]))
      .toEqual([
        ['k:ops', reason],
        ['l:ops', reason],
      ]);
    expect(notifier.counts()).toEqual([{ channel: 'ops', reason, count: 2 }]);
    expect(await value('tidemark_notifications_quarantined_total', { channel: 'ops', reason })).toBe(2);
    isMended = true;
    const [first, second] = setAside();
    const before = server.received.length;
    expect(notifier.replay({ id: first!.id }, { actor: 'ann' })).toBe(1);
    await expect.poll(() => server.received.length).toBe(before + 1);
    expect(server.received.at(-1)!.headers['idempotency-key']).toBe('k:ops');
    expect(notifier.discard({ id: second!.id }, { actor: 'ann' })).toBe(1);
    await expect.poll(() => notifier.counts()).toEqual([]);
  },
);

it('a redirect on the same host is followed; a private address that is not listed is never connected to', async () => {
  const server = await startServer((response, count) =>
    count === 1 ? void response.writeHead(308, { location: '/there' }).end() : ok(response),
  );
  const { add } = startNotifier({ ops: { type: 'webhook', url: server.url } });
  add(change());
  await expect.poll(() => server.received.map(({ url }) => url)).toEqual(['/hook', '/there']);

  const unlisted = startNotifier(
    {
      ops: { type: 'webhook', url: server.url },
      local: { type: 'webhook', url: server.url.replace('127.0.0.1', 'localhost') },
      mapped: { type: 'webhook', url: server.url.replace('127.0.0.1', '[::ffff:127.0.0.1]') },
      decimal: { type: 'webhook', url: server.url.replace('127.0.0.1', '2130706433') },
    },
    { notifications: { privateHosts: [] } },
  );
  unlisted.add(change({ notify: ['ops', 'local', 'mapped', 'decimal'] }));
  await expect
    .poll(() => unlisted.setAside().map(({ reason }) => reason))
    .toEqual(Array(4).fill('address_refused'));
  expect(server.received).toHaveLength(2);
});

it('what is too old, too much or for nobody goes to the quarantine, and of that the oldest go', async () => {
  const server = await startServer(status(503));
  const old = startNotifier(
    { ops: { type: 'webhook', url: server.url } },
    { notifications: { maxAgeMs: 30 } },
  );
  old.add(change());
  await expect.poll(() => old.setAside().map(({ reason }) => reason)).toEqual(['expired']);
  expect(old.setAside()[0]!.detail).toMatch(/^\d+ tries, the last: answered 503$/);

  const dataDir = newDir();
  const few = startNotifier(
    { ops: { type: 'webhook', url: server.url } },
    { notifications: { maxWaiting: 2, maxQuarantined: 3, retryMs: 60_000 }, dataDir },
  );
  few.add(...Array.from({ length: 4 }, () => change()), change({ notify: ['nobody'] }));
  expect(few.setAside().map(({ channel, reason }) => [channel, reason])).toEqual([
    ['ops', 'queue_full'],
    ['ops', 'queue_full'],
    ['nobody', 'unknown_channel'],
  ]);
  few.add(change({ notify: ['nobody'] }));
  expect(few.setAside().map(({ reason }) => reason)).toEqual([
    'queue_full',
    'unknown_channel',
    'unknown_channel',
  ]);
  expect(await few.value('tidemark_notifications_evicted_total', {})).toBe(1);
  expect(few.notifier.replay({ channel: 'nobody' }, { actor: 'ann' })).toBe(0);
  await few.stop();

  const without = startNotifier({}, { dataDir });
  expect(without.notifier.list({ channel: 'ops', limit: 10 }).map(({ reason }) => reason)).toEqual([
    'unknown_channel',
    'unknown_channel',
    'queue_full',
  ]);
});

it('a change is published to the topic of a channel', async () => {
  const { add, published, notifier } = startNotifier({
    panel: { type: 'mqtt', topic: 'panel/hall', body: '{severity}' },
  });
  add(change({ notify: ['panel'] }));
  await expect.poll(() => published).toEqual([['panel/hall', 'warning']]);
  await expect.poll(() => notifier.counts()).toEqual([]);
});

it('all faults of channels are told at once, with their paths and without what is secret', () => {
  const channels = {
    ops: { type: 'webhook', url: 'ftp://user:hidden@host', headers: { 'Content-Length': '3', a: 'b\nc' } },
    'no name': { type: 'webhook', url: 'https://host' },
    short: { type: 'webhook', url: 'https://host', secret: 'hidden', body: '{who}', extra: 1 },
    panel: { type: 'mqtt', topic: 'sensors/a' },
    other: { type: 'pigeon' },
  };
  const load = () => loadConfig({ overrides: { channels } });
  let fault: TidemarkError | undefined;
  try {
    load();
  } catch (error) {
    fault = error as TidemarkError;
  }
  expect(fault?.issues.map(({ path }) => path).sort()).toEqual([
    'channels.no name',
    'channels.ops.headers.Content-Length',
    'channels.ops.headers.a',
    'channels.ops.url',
    'channels.other.type',
    'channels.panel.topic',
    'channels.short.body',
    'channels.short.extra',
    'channels.short.secret',
  ]);
  expect(JSON.stringify([fault?.message, fault?.issues])).not.toContain('hidden');
});
