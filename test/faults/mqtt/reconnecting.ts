import { createConnection, type Socket } from 'node:net';
import { generate, type Packet, parser } from 'mqtt-packet';

const RECONNECT_AFTER_MS = 50;

/** An MQTT 3.1.1 connection with a session that comes again as often as it is lost. */
export abstract class Reconnecting {
  readonly clientId: string;
  readonly #url: URL;
  #socket: Socket | undefined;
  #isOpen = false;
  #isEnding = false;

  constructor(url: string, clientId: string) {
    this.#url = new URL(url);
    this.clientId = clientId;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The session is there again, or for the first time. */
  protected abstract resume(): void;
  protected abstract take(packet: Packet): void;

  start(): void {
    if (this.#isEnding) return;
    const socket = createConnection(Number(this.#url.port), this.#url.hostname);
    this.#socket = socket;
    const reader = parser();
    reader.on('packet', (packet: Packet) => {
      if (packet.cmd !== 'connack') return this.take(packet);
      this.#isOpen = true;
      this.resume();
    });
    const { clientId } = this;
    const hello = {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: false,
      keepalive: 60,
    } as const;
    socket.on('connect', () => socket.write(generate({ ...hello, clientId })));
    socket.on('data', (bytes) => reader.parse(bytes));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isOpen = false;
      setTimeout(() => this.start(), RECONNECT_AFTER_MS);
    });
  }

  end(): void {
    this.#isEnding = true;
    this.#socket?.destroy();
  }

  protected send(packet: Packet): void {
    if (this.#isOpen) this.#socket?.write(generate(packet));
  }
}
