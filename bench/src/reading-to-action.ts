import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { generate, type Packet, parser } from 'mqtt-packet';
import { quantile, type Row } from './table.ts';

const ACTIONS = 400;
const WARM_UP = 20;
/** Readings come when they come, not in step with anything of the platform's. */
const LONGEST_PAUSE_MS = 60;

/**
 * From the publish of a reading that crosses the threshold of the example flow, by MQTT, to the fan's command that the flow
 * publishes, in this process: on and off in turns, one at a time.
 */
export async function readingToAction(mqttPort: number): Promise<Row> {
  const client = await Client.connect(mqttPort);
  const latenciesMs: number[] = [];
  for (let n = 0; n < WARM_UP + ACTIONS; n++) {
    const isHot = n % 2 === 0;
    const latencyMs = await client.act(isHot ? 35 : 15, isHot ? 'ON' : 'OFF');
    if (n >= WARM_UP) latenciesMs.push(latencyMs);
    await delay(Math.random() * LONGEST_PAUSE_MS);
  }
  client.end();
  const [p50, p99] = [0.5, 0.99].map((q) => quantile(latenciesMs, q).toFixed(1));
  return {
    what: 'reading to action: p50, p99',
    figure: `${p50}, ${p99} ms`,
    note: `${ACTIONS} actions; target: p99 under 100 ms`,
  };
}

/** The sensor and the fan in one. */
class Client {
  readonly #socket: Socket;
  readonly #waiters = new Set<(packet: Packet) => void>();
  #messageId = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const packets = parser();
    packets.on('packet', (packet: Packet) => {
      for (const waiter of [...this.#waiters]) waiter(packet);
    });
    socket.on('data', (bytes: Buffer) => packets.parse(bytes));
  }

  static async connect(port: number): Promise<Client> {
    const socket = createConnection(port, '127.0.0.1').setNoDelay(true);
    await once(socket, 'connect');
    const client = new Client(socket);
    const clientId = `bench-${process.pid}`;
    client.#send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      clientId,
      keepalive: 60,
    });
    await client.#until(({ cmd }) => cmd === 'connack');
    client.#send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'commands/fan/set', qos: 0 }] });
    await client.#until(({ cmd }) => cmd === 'suback');
    return client;
  }

  /** Publishes a temperature and answers how long it took until the command was there, in ms. */
  async act(temperature: number, command: string): Promise<number> {
    const done = this.#until((packet) => packet.cmd === 'publish' && String(packet.payload) === command);
    const startedMs = performance.now();
    this.#messageId = (this.#messageId % 65_535) + 1;
    this.#send({
      cmd: 'publish',
      topic: 'sensors/greenhouse-1',
      payload: JSON.stringify({ temperature }),
      qos: 1,
      messageId: this.#messageId,
      dup: false,
      retain: false,
    });
    await done;
    return performance.now() - startedMs;
  }

  end(): void {
    this.#socket.destroy();
  }

  #send(packet: Packet): void {
    this.#socket.write(generate(packet));
  }

  #until(condition: (packet: Packet) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const waiter = (packet: Packet): void => {
        if (!condition(packet)) return;
        this.#waiters.delete(waiter);
        resolve();
      };
      this.#waiters.add(waiter);
    });
  }
}
