import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { generate, type IConnectPacket, type IPublishPacket, type Packet, parser } from 'mqtt-packet';

/** A bare MQTT 3.1.1 connection: the test decides every packet, and sees every packet that comes. */
export class RawMqtt {
  readonly socket: Socket;
  readonly received: Packet[] = [];
  readonly #parser = parser();
  readonly #waiters = new Set<() => void>();

  private constructor(socket: Socket) {
    this.socket = socket;
    this.#parser.on('packet', (packet: Packet) => this.received.push(packet));
    const wake = (): void => {
      for (const waiter of this.#waiters) waiter();
    };
    socket.on('data', (bytes: Buffer) => {
      this.#parser.parse(bytes);
      wake();
    });
    socket.on('close', wake);
    socket.on('error', () => {});
  }

  /** Connects and waits for CONNACK. */
  static async connect(
    url: string,
    clientId: string,
    clean = true,
    will?: IConnectPacket['will'],
  ): Promise<RawMqtt> {
    const { hostname, port } = new URL(url);
    const socket = createConnection(Number(port), hostname);
    await once(socket, 'connect');
    const connection = new RawMqtt(socket);
    connection.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean,
      clientId,
      keepalive: 60,
      ...(will && { will }),
    });
    await connection.until(({ cmd }) => cmd === 'connack');
    return connection;
  }

  send(packet: Packet): void {
    this.socket.write(generate(packet));
  }

  publish(topic: string, payload: string | Buffer, options: Partial<IPublishPacket> = {}): void {
    this.send({
      cmd: 'publish',
      topic,
      payload,
      qos: 1,
      messageId: 1,
      dup: false,
      retain: false,
      ...options,
    });
  }

  /** The first packet, received or still to come, that satisfies the condition. */
  async until(condition: (packet: Packet) => boolean): Promise<Packet> {
    for (;;) {
      const found = this.received.find(condition);
      if (found) return found;
      if (this.socket.destroyed) throw new Error('the connection is closed');
      await new Promise<void>((resolve) => {
        this.#waiters.add(resolve);
      });
      this.#waiters.clear();
    }
  }

  end(): void {
    this.socket.destroy();
  }
}
