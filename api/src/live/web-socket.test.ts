import { once } from 'node:events';
import { connect } from 'node:net';
import { readingToPoint } from '@tidemark/core';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { HttpServer } from '../http-server.ts';
import { startTestPlatform } from '../testing/test-platform.ts';
import type { LiveEvent } from './live-events.ts';
import { encodeLiveEvent, toWebSocket } from './web-socket.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

type Overrides = Parameters<typeof startTestPlatform>[0];

async function start(overrides: Overrides = {}) {
  const platform = await startTestPlatform(overrides);
  undo.push(platform.stop);
  const server = new HttpServer({ config: platform.parts.config, app: platform.app });
  undo.push(() => server.stop());
  await server.start();
  const add = (sensor: string, v: number | string) =>
    platform.journal.append([
      readingToPoint({ sensor, location: undefined, timeNs: BigInt(v), values: [['v', v]] }),
    ]);
  return { ...platform, server, add, url: `ws://127.0.0.1:${server.port}/api/v1/live` };
}

/** A client, and its messages one after another. */
async function open(url: string, ...rest: (string[] | Record<string, unknown>)[]) {
  const socket = new WebSocket(url, ...(rest as []));
  undo.push(() => socket.terminate());
  const messages: { event: string; id: string; data?: Record<string, unknown> }[] = [];
  let wake = () => {};
  socket.on('message', (text) => {
    messages.push(JSON.parse(String(text)));
    wake();
  });
  await once(socket, 'open');
  const until = async (event: string, count = 1) => {
    const found = () => messages.filter((message) => message.event === event);
    while (found().length < count) await new Promise<void>((resolve) => (wake = resolve));
    return found();
  };
  return { socket, messages, until };
}

/** The answer to an upgrade that is refused. */
async function refusal(url: string, protocols: string[] = [], headers: Record<string, string> = {}) {
  const socket = new WebSocket(url, protocols, { headers });
  const [, response] = await once(socket, 'unexpected-response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, problem: JSON.parse(Buffer.concat(chunks).toString() || 'null') };
}

const guarded: Overrides = {
  access: {
    isRequired: true,
    checkUser: async () => false,
    knowsUser: () => true,
    checkToken: (token) => token === 'tm_right',
    tokenName: () => 'test',
  },
};

describe('GET /api/v1/live by WebSocket', () => {
  it('sends what matches, each with the place to resume at, and resumes there', async () => {
    const { url, add } = await start();
    for (const v of [1, 2, 3]) add(v === 2 ? 'b' : 'a', v);
    const first = await open(`${url}?sensor=a&after=0`);
    const readings = await first.until('reading', 2);
    expect(readings).toEqual([
      { event: 'reading', id: '100', data: expect.objectContaining({ id: 'a@1', v: 1 }) },
      { event: 'reading', id: '300', data: expect.objectContaining({ id: 'a@3', v: 3 }) },
    ]);
    first.socket.close();
    add('a', 4);
    const second = await open(`${url}?sensor=a&after=${readings.at(-1)!.id}`);
    add('a', 5);
    expect((await second.until('reading', 2)).map(({ data }) => data!.v)).toEqual([4, 5]);
  });

  it('tells of a gap', async () => {
    const { url } = await start();
    const { until } = await open(`${url}?after=999`);
    expect(await until('gap')).toEqual([
      { event: 'gap', id: '0', data: { reason: 'ahead', from: 0, to: 999, skipped: null } },
    ]);
  });

  it('answers a filter or a place that is none as HTTP does', async () => {
    const { url } = await start();
    const { status, problem } = await refusal(`${url}?after=x&sensr=a`);
    expect(status).toBe(400);
    expect(problem.errors.map(({ path }: { path: string }) => path)).toEqual(['after', 'sensr']);
    expect(await refusal(url.replace('/live', '/windows'))).toMatchObject({ status: 404 });
    expect(await refusal(url.replace('/live', '/nothing'))).toMatchObject({ status: 404 });
  });

  it('lets in who shows a token, by a header or as a browser can', async () => {
    const { url } = await start(guarded);
    expect(await refusal(url)).toMatchObject({ status: 401, problem: { code: 'unauthorized' } });
    expect(await refusal(url, ['tidemark', 'token.tm_wrong'])).toMatchObject({ status: 401 });
    const { socket } = await open(url, ['tidemark', 'token.tm_right']);
    expect(socket.protocol).toBe('tidemark');
    await open(url, [], { headers: { authorization: 'Bearer tm_right' } });
  });

  it('lets no foreign page in, and no host that is not allowed', async () => {
    const { url } = await start();
    expect(await refusal(url, [], { origin: 'http://attacker.example' })).toMatchObject({ status: 403 });
    expect(await refusal(url, [], { host: 'attacker.example' })).toMatchObject({ status: 403 });
    await open(url, [], { origin: 'http://localhost:3000' });
  });

  it('counts clients that come and go, also one whose handshake is broken', async () => {
    const { url, server, parts } = await start();
    const clients = async () =>
      Number(/^tidemark_live_clients (\d+)$/m.exec(await parts.metrics.metrics())?.[1]);
    const { socket, until } = await open(url);
    await until('heartbeat');
    expect(await clients()).toBe(1);
    socket.close();
    const broken = connect(server.port, '127.0.0.1');
    broken.write(
      'GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    broken.resume();
    await once(broken, 'close');
    while ((await clients()) > 0) await new Promise(setImmediate);
  });

  it('says goodbye when the platform stops', async () => {
    const { url, server } = await start();
    const { socket, until } = await open(url);
    await until('heartbeat');
    const closed = once(socket, 'close');
    await server.stop();
    expect((await closed)[0]).toBe(1001);
  });

  it('skips readings for a client that stops reading, and for no other; sent and skipped are all there were', async () => {
    const { url, journal, parts } = await start();
    const frozen = await open(`${url}?metric=note`);
    const other = await open(`${url}?sensor=b`);
    frozen.socket.pause();
    // More than the sockets between hold, and more than the lag that is let be; all while one reads nothing.
    const total = 60_000;
    const note = 'x'.repeat(400);
    for (let n = 0; n < total; n++) {
      const sensor = n % 100 === 0 ? 'b' : 'a';
      const values = [['note', note]] as const;
      journal.append([readingToPoint({ sensor, location: undefined, timeNs: BigInt(n), values })]);
      if (n % 1000 === 0) await new Promise(setImmediate);
    }
    await other.until('reading', total / 100);
    frozen.socket.resume();
    const isLast = () => frozen.messages.some(({ data }) => data?.id === `a@${total - 1}`);
    while (!isLast()) await new Promise(setImmediate);
    const gaps = frozen.messages.filter(({ event }) => event === 'gap');
    const skipped = gaps.reduce((sum, { data }) => sum + Number(data!.skipped), 0);
    const received = new Set(frozen.messages.map(({ data }) => data?.time ?? '')).size - 1;
    expect(gaps[0]).toMatchObject({ data: { reason: 'behind' } });
    expect(received + skipped).toBe(total);
    expect(other.messages.filter(({ event }) => event === 'gap')).toEqual([]);
    expect(await parts.metrics.metrics()).toContain(`tidemark_live_skipped_readings_total ${skipped}`);
  });
});

describe('toWebSocket', () => {
  it('closes on a client that answers no ping', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    undo.push(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const served = once(server, 'connection');
    const silent = new WebSocket(`ws://127.0.0.1:${port}`, { autoPong: false });
    const [socket] = await served;
    const stopping = new AbortController();
    async function* events(): AsyncGenerator<LiveEvent> {
      yield { kind: 'heartbeat', resumeAt: 0 };
      await new Promise((resolve) => stopping.signal.addEventListener('abort', resolve));
    }
    const gone = new Promise<void>((resolve) =>
      toWebSocket(socket, {
        events: events(),
        encode: encodeLiveEvent,
        onClose: resolve,
        onError: () => {},
        pingMs: 20,
      }),
    );
    await once(silent, 'close');
    await gone;
    stopping.abort();
  });
});
