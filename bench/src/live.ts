import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { generate } from 'mqtt-packet';
import { cpuSecondsOf, memoryMiBOf, startTidemark } from './process.ts';
import { quantile, type Row } from './table.ts';

const SENSORS = 100;
const RATE = 5000;
const WARM_UP_SECONDS = 5;
const SECONDS = 30;
const CONNECTIONS = 10;
const TICK_MS = 5;
const PUBACK_BYTES = 4;
/** Longest that what was published last may take to arrive. */
const SETTLE_MS = 10_000;

/** From the publish by MQTT until it is read by SSE, in one process: 100 listeners to a sensor each, one of them frozen. */
export async function live(): Promise<Row[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const server = await startTidemark(dataDir);
  const pid = server.process.pid!;
  const listeners: Listener[] = [];
  try {
    const { mqttPort, httpPort } = server.ready as { mqttPort: number; httpPort: number };
    const publishers = await Promise.all(Array.from({ length: CONNECTIONS }, (_, n) => connect(mqttPort, n)));
    for (let n = 0; n < SENSORS; n++) listeners.push(await Listener.open(httpPort, `bench-${n}`));
    const [frozen, ...others] = listeners as [Listener, ...Listener[]];
    frozen.freeze();
    await hear(others, await publishAll(publishers, WARM_UP_SECONDS));
    for (const { latenciesMs } of [...others, ...publishers]) latenciesMs.length = 0;
    const cpuBefore = cpuSecondsOf(pid);
    const expected = await hear(others, await publishAll(publishers, SECONDS));
    const latenciesMs = others.flatMap((listener) => listener.latenciesMs);
    const [p50, p99, most] = [0.5, 0.99, 1].map((q) => quantile(latenciesMs, q).toFixed(1));
    const ackMs = publishers.flatMap((publisher) => publisher.latenciesMs);
    const [ack50, ack99] = [0.5, 0.99].map((q) => quantile(ackMs, q).toFixed(1));
    const cpu = (cpuSecondsOf(pid) - cpuBefore) / SECONDS;
    for (const publisher of publishers) publisher.close();
    return [
      {
        what: `publish to SSE at ${RATE}/s, ${SENSORS} listeners of one sensor each, one frozen: p50, p99`,
        figure: `${p50}, ${p99} ms`,
        note: `target: p99 under 50 ms; at most ${most} ms; ${latenciesMs.length} of ${expected} heard; load average ${loadavg()[0]!.toFixed(1)}`,
      },
      {
        what: 'publish to PUBACK of the same messages: p50, p99',
        figure: `${ack50}, ${ack99} ms`,
        note: 'nothing is shown that is not durable',
      },
      {
        what: 'CPU of the platform meanwhile',
        figure: `${(cpu * 100).toFixed(0)} %`,
        note: `of one core; memory ${Math.round(memoryMiBOf(pid))} MiB`,
      },
    ];
  } finally {
    for (const listener of listeners) listener.close();
    await server.stop();
    await rm(dataDir, { recursive: true });
  }
}

/** Waits until all have arrived that were for these listeners; answers how many that is. */
async function hear(listeners: readonly Listener[], published: number): Promise<number> {
  const expected = (published / SENSORS) * listeners.length;
  const count = () => listeners.reduce((sum, { latenciesMs }) => sum + latenciesMs.length, 0);
  for (let waitedMs = 0; count() < expected && waitedMs < SETTLE_MS; waitedMs += TICK_MS)
    await delay(TICK_MS);
  return expected;
}

/** Who follows one sensor, and how old each reading was. */
class Listener {
  readonly latenciesMs: number[] = [];
  readonly #socket: Socket;
  #rest = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#take(text));
    socket.on('error', () => {});
  }

  static async open(port: number, sensor: string): Promise<Listener> {
    const socket = createConnection(port, '127.0.0.1').setNoDelay(true);
    socket.write(`GET /api/v1/live?sensor=${sensor} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const listener = new Listener(socket);
    await once(socket, 'data');
    return listener;
  }

  freeze(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    const nowMs = performance.now();
    const all = this.#rest + text;
    const end = all.lastIndexOf('\n') + 1;
    this.#rest = all.slice(end);
    for (const [, sentMs] of all.slice(0, end).matchAll(/"sent":([\d.]+)/g))
      this.latenciesMs.push(nowMs - Number(sentMs));
  }
}

async function connect(port: number, n: number): Promise<Publisher> {
  const socket = createConnection(port, '127.0.0.1').setNoDelay(true);
  const clientId = `bench-live-${n}`;
  socket.write(generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, clientId }));
  await once(socket, 'data');
  return new Publisher(socket);
}

/** One connection, and how long its messages waited to be acknowledged, which they are in order. */
class Publisher {
  readonly latenciesMs: number[] = [];
  readonly #socket: Socket;
  #waitingSinceMs: number[] = [];
  #restBytes = 0;
  #sent = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#take(bytes.length));
  }

  publish(topic: string): void {
    const sentMs = performance.now();
    const payload = JSON.stringify({ sent: sentMs });
    const messageId = (this.#sent++ % 65_535) + 1;
    this.#waitingSinceMs.push(sentMs);
    this.#socket.write(
      generate({ cmd: 'publish', topic, payload, qos: 1, messageId, dup: false, retain: false }),
    );
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(bytes: number): void {
    const nowMs = performance.now();
    const acks = Math.floor((this.#restBytes + bytes) / PUBACK_BYTES);
    this.#restBytes = (this.#restBytes + bytes) % PUBACK_BYTES;
    for (const sentMs of this.#waitingSinceMs.splice(0, acks)) this.latenciesMs.push(nowMs - sentMs);
  }
}

/** Each sensor in turn, at the rate; answers how many there were. */
async function publishAll(publishers: readonly Publisher[], seconds: number): Promise<number> {
  const total = RATE * seconds;
  const startedMs = performance.now();
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - startedMs) / 1000) * RATE));
    for (; sent < due; sent++) publishers[sent % CONNECTIONS]!.publish(`sensors/bench-${sent % SENSORS}`);
    await delay(TICK_MS);
  }
  return total;
}
