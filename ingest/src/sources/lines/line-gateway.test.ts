import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  type Acceptor,
  type Access,
  createMetrics,
  loadConfig,
  type Outcome,
  type Submission,
  TidemarkError,
} from '@tidemark/core';
import { expect, it, onTestFinished } from 'vitest';
import { metricOf } from '../../testing/test-parts.ts';
import { LineGateway } from './line-gateway.ts';

/** Keeps what it was given until the test says that it is durable. */
class HeldAcceptor implements Acceptor {
  readonly taken: string[] = [];
  readonly #waiting: ((error?: TidemarkError) => void)[] = [];
  #onTaken = (): void => {};

  accept(submission: Submission, done: (error?: TidemarkError) => void): Outcome {
    const text = 'payload' in submission ? Buffer.from(submission.payload).toString() : '';
    const problem = submission.source === 'tcp' ? submission.problem : undefined;
    this.taken.push(text);
    this.#waiting.push(done);
    this.#onTaken();
    if (problem)
      return { ids: [], accepted: 0, rejected: [{ index: 0, code: problem.reason, detail: problem.detail }] };
    return { ids: [], accepted: 1, rejected: [] };
  }

  async until(count: number): Promise<void> {
    while (this.taken.length < count)
      await new Promise<void>((resolve) => {
        this.#onTaken = resolve;
      });
  }

  settle(count: number, error?: TidemarkError): void {
    for (const done of this.#waiting.splice(0, count)) done(error);
  }
}

async function startGateway(settings: Record<string, unknown> = {}, token?: string) {
  const acceptor = new HeldAcceptor();
  const metrics = createMetrics();
  const access = {
    isRequired: token !== undefined,
    checkToken: (shown: string) => shown === token,
  } as Access;
  const overrides = Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [`lines.${key}`, value]),
  );
  const clock = { nowNs: () => 0n, monotonicMs: () => clock.ms, ms: 0 };
  const config = loadConfig({ overrides: { 'lines.port': 0, ...overrides } });
  const gateway = new LineGateway({ config, acceptor, access, clock, metrics });
  await gateway.start();
  onTestFinished(() => gateway.stop());
  const open = async (): Promise<Device> => {
    const socket = connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    onTestFinished(() => void socket.destroy());
    return new Device(socket);
  };
  return { acceptor, gateway, metrics, clock, open };
}

class Device {
  readonly socket: Socket;
  #text = '';
  #isClosed = false;
  #wake = (): void => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text;
      this.#wake();
    });
    const close = (): void => {
      this.#isClosed = true;
      this.#wake();
    };
    socket.on('end', close).on('close', close).on('error', close);
  }

  /** The first `count` answers; fewer when the connection ends before. */
  async answers(count: number): Promise<string[]> {
    for (;;) {
      const lines = this.#text.split('\n').slice(0, -1);
      if (lines.length >= count || this.#isClosed) return lines;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async end(): Promise<string[]> {
    this.socket.end();
    return this.answers(Number.POSITIVE_INFINITY);
  }
}

it('answers a line once it is durable and no sooner, many in flight', async () => {
  const { acceptor, open } = await startGateway();
  const device = await open();
  device.socket.write('a f=1\nb f=2\r\nc f=3\n');
  await acceptor.until(3);
  expect(acceptor.taken).toEqual(['a f=1', 'b f=2', 'c f=3']);
  acceptor.settle(2);
  expect(await device.answers(2)).toEqual(['ok 1', 'ok 2']);
  acceptor.settle(1);
  expect(await device.answers(3)).toEqual(['ok 1', 'ok 2', 'ok 3']);
});

it('answers in order to the end of what was sent, and ends then', async () => {
  const { acceptor, open } = await startGateway();
  const device = await open();
  device.socket.end('a f=1\nb f=2\nc f=');
  await acceptor.until(3);
  acceptor.settle(3);
  expect(await device.answers(4)).toEqual([
    'ok 1',
    'ok 2',
    'error 3 bad_line it did not end by a newline before the connection did',
  ]);
});

it('reads no further than the limit of unanswered lines', async () => {
  const { acceptor, open } = await startGateway({ maxUnanswered: 10 });
  const device = await open();
  device.socket.write('m f=1\n'.repeat(35));
  await acceptor.until(10);
  for (const expected of [20, 30, 35]) {
    expect(acceptor.taken.length).toBe(expected === 35 ? 30 : expected - 10);
    acceptor.settle(10);
    await acceptor.until(expected);
  }
  acceptor.settle(5);
  expect((await device.answers(35)).at(-1)).toBe('ok 35');
});

it('refuses a line that is too long and goes on', async () => {
  const { acceptor, open } = await startGateway({ maxLineBytes: 64 });
  const device = await open();
  device.socket.write(`${'x'.repeat(500)}\nm f=1\n`);
  await acceptor.until(2);
  acceptor.settle(2);
  expect(acceptor.taken).toEqual(['x'.repeat(64), 'm f=1']);
  expect(await device.answers(2)).toEqual([
    'error 1 too_long longer than 64 bytes; its beginning is kept',
    'ok 2',
  ]);
});

it('says where to begin again when the spool takes nothing, and closes', async () => {
  const { acceptor, open } = await startGateway();
  const device = await open();
  device.socket.write('m f=1\nm f=2\nm f=3\n');
  await acceptor.until(3);
  acceptor.settle(1);
  acceptor.settle(2, new TidemarkError('spool_full', 'the disk is full', { retryable: true }));
  expect(await device.end()).toEqual(['ok 1', 'retry 2 spool_full the disk is full']);
});

it('closes a connection whose lines wait too long for the disk', async () => {
  const { acceptor, clock, metrics, open } = await startGateway();
  const device = await open();
  device.socket.write('m f=1\n');
  await acceptor.until(1);
  clock.ms = 5001;
  expect(await device.answers(1)).toEqual(['retry 1 spool_full the line could not be made durable in time']);
  expect(await metricOf(metrics, 'tidemark_lines_held_connections_total')).toBe(1);
});

it('asks for a token where credentials are required', async () => {
  const { acceptor, metrics, open } = await startGateway({}, 'tm_right');
  const [none, wrong, right] = [await open(), await open(), await open()];
  none.socket.write('m f=1\n');
  expect(await none.end()).toEqual(['error 0 unauthorized send an API token as the first line: token tm_…']);
  wrong.socket.write('token tm_wrong\nm f=1\n');
  expect(await wrong.end()).toEqual(['error 0 unauthorized the token is not one of those that exist']);
  expect(acceptor.taken).toEqual([]);
  right.socket.write('token tm_right\nm f=1\n');
  await acceptor.until(1);
  acceptor.settle(1);
  expect(await right.answers(2)).toEqual(['ok 0', 'ok 1']);
  expect(await metricOf(metrics, 'tidemark_lines_closed_connections_total')).toBe(2);
});

it('closes a connection that shows no token in time', async () => {
  const { clock, open } = await startGateway({}, 'tm_right');
  const device = await open();
  device.socket.write('tok');
  clock.ms = 10_001;
  expect(await device.answers(1)).toEqual([
    'error 0 unauthorized send an API token as the first line: token tm_…',
  ]);
});

it.each(['POST / HTTP/1.1', 'GET /?x HTTP/1.0', 'PRI * HTTP/2.0'])(
  'takes nothing behind %s: a web page could send it',
  async (first) => {
    const { acceptor, open } = await startGateway();
    const device = await open();
    device.socket.write(`${first}\r\nHost: localhost\r\n\r\nm f=1\n`);
    expect(await device.end()).toEqual(['error 0 bad_request this port takes lines of readings, not HTTP']);
    expect(acceptor.taken).toEqual([]);
  },
);

it('keeps to its limit of connections', async () => {
  const { acceptor, metrics, open } = await startGateway({ maxConnections: 1 });
  const first = await open();
  const second = await open();
  expect(await second.answers(1)).toEqual([]);
  first.socket.write('m f=1\n');
  await acceptor.until(1);
  acceptor.settle(1);
  expect(await first.answers(1)).toEqual(['ok 1']);
  expect(await metricOf(metrics, 'tidemark_lines_closed_connections_total')).toBe(1);
});

it('closes an idle connection', async () => {
  const { open } = await startGateway({ idleMs: 20 });
  expect(await (await open()).answers(1)).toEqual([]);
});

it('answers what it took before it stops', async () => {
  const { acceptor, gateway, open } = await startGateway();
  const device = await open();
  device.socket.write('m f=1\n');
  await acceptor.until(1);
  const stopped = gateway.stop();
  acceptor.settle(1);
  expect(await device.end()).toEqual(['ok 1']);
  await stopped;
});
