import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { loadConfig, readingToPoint } from '@tidemark/core';
import { afterEach, describe, expect, it } from 'vitest';
import { HttpServer } from './http-server.ts';
import { startTestPlatform } from './testing/test-platform.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function startServer() {
  const platform = await startTestPlatform();
  undo.push(platform.stop);
  const server = new HttpServer({ config: platform.parts.config, app: platform.app });
  undo.push(() => server.stop());
  return { ...platform, server };
}

async function exchange(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.end(request);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('HttpServer', () => {
  it('listens on a free port and answers', async () => {
    const { server } = await startServer();
    expect(server.port).toBe(0);
    await server.start();
    const response = await fetch(`http://127.0.0.1:${server.port}/health`);
    expect(await response.json()).toMatchObject({ status: 'pass' });
  });

  it('says in a sentence that its port is taken', async () => {
    const { server, app } = await startServer();
    await server.start();
    const config = loadConfig({ overrides: { 'http.port': server.port } });
    const second = new HttpServer({ config, app });
    await expect(second.start()).rejects.toMatchObject({
      code: 'address_in_use',
      message: expect.stringContaining(`HTTP port ${server.port} on 127.0.0.1 is in use`),
    });
    await second.stop();
  });

  it.each([
    ['GET /health HTTP/1.1\r\nHost: attacker.example\r\nConnection: close\r\n\r\n', '403'],
    ['GET /health HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n', '400'],
    ['GET /health HTTP/1.0\r\n\r\n', '400'],
    ['GET http://attacker.example/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', '200'],
    ['nonsense\r\n\r\n', '400'],
  ])('answers %j with %s', async (request, status) => {
    const { server } = await startServer();
    await server.start();
    expect(await exchange(server.port, request)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it('hands over upgrades of its path, from allowed hosts and origins only', async () => {
    const { server } = await startServer();
    server.onUpgrade('/mqtt', (_request, socket) =>
      socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\ntaken'),
    );
    await server.start();
    const upgrade = (path: string, headers: string) =>
      exchange(
        server.port,
        `GET ${path} HTTP/1.1\r\n${headers}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      );
    expect(await upgrade('/mqtt?x=1', 'Host: localhost\r\n')).toContain('taken');
    expect(await upgrade('/mqtt', 'Host: localhost\r\nOrigin: http://localhost:3000\r\n')).toContain('taken');
    expect(await upgrade('/mqtt', 'Host: localhost\r\nOrigin: http://attacker.example\r\n')).toMatch(/ 403 /);
    expect(await upgrade('/mqtt', 'Host: attacker.example\r\n')).toMatch(/ 403 /);
    expect(await upgrade('/elsewhere', 'Host: localhost\r\n')).toMatch(/ 404 /);
  });

  it('ends live streams when it stops', async () => {
    const { server } = await startServer();
    await server.start();
    const response = await fetch(`http://127.0.0.1:${server.port}/api/v1/live`);
    const body = response.text();
    await server.stop();
    expect(await body).toContain('retry: 1000');
  });

  it('stops although a client neither reads nor closes', async () => {
    const { server } = await startServer();
    await server.start();
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      'POST /api/v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n[',
    );
    await once(socket, 'connect');
    const closed = once(socket, 'close');
    await fetch(`http://127.0.0.1:${server.port}/ping`);
    await server.stop();
    await closed;
  });

  it('stops although an upgraded connection stays open', async () => {
    const { server } = await startServer();
    server.onUpgrade('/mqtt', (_request, socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
    await server.start();
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      'GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    await once(socket, 'data');
    const closed = once(socket, 'close');
    await server.stop();
    await closed;
  });

  it('skips readings for a live client that stops reading, and says how many', async () => {
    const { server, journal, parts } = await startServer();
    await server.start();
    const socket = connect(server.port, '127.0.0.1');
    undo.push(() => socket.destroy());
    socket.write('GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'readable');
    // More than the sockets between hold, and more than the lag that is let be; all while nobody reads.
    const total = 60_000;
    const text = 'x'.repeat(400);
    for (let n = 0; n < total; n++) {
      const values = [['note', text]] as const;
      journal.append([readingToPoint({ sensor: 'a', location: undefined, timeNs: BigInt(n), values })]);
      if (n % 1000 === 0) await new Promise(setImmediate);
    }
    const { received, skipped } = await readUntil(socket, `a@${total - 1}`);
    expect(skipped).toBeGreaterThan(0);
    expect(received + skipped).toBe(total);
    expect(await parts.metrics.metrics()).toContain(`tidemark_live_skipped_readings_total ${skipped}`);
  });
});

/** Counts the readings and the skipped ones of an event stream, up to the reading with this id. */
async function readUntil(socket: Socket, lastId: string): Promise<{ received: number; skipped: number }> {
  let received = 0;
  let skipped = 0;
  let rest = '';
  for await (const chunk of socket) {
    const events = (rest + chunk).split('\n\n');
    rest = events.pop()!;
    for (const event of events) {
      if (event.includes('event: gap')) skipped += Number(/"skipped":(\d+)/.exec(event)?.[1]);
      else if (event.includes('data: {"id"')) received += 1;
      if (event.includes(`"id":"${lastId}"`)) return { received, skipped };
    }
  }
  throw new Error(`the stream ended after ${received} readings`);
}
