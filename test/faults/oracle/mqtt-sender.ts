import { createConnection, type Socket } from 'node:net';
import { generate, type Packet, parser } from 'mqtt-packet';
import type { Load } from './load.ts';
import type { Message, Tally } from './tally.ts';

const RECONNECT_AFTER_MS = 50;
const MAX_MESSAGE_ID = 65_535;

interface InFlight extends Message {
  /** A QoS 2 message whose PUBREC came: from then on only PUBREL is sent for it. */
  isReleased: boolean;
}

/**
 * One MQTT 3.1.1 connection that never gives up: with a session, a window of messages in flight, and after a
 * lost connection what is not acknowledged sent again, in order and marked DUP (MQTT 3.1.1 section 4.4).
 */
export class MqttSender {
  readonly sensor: string;
  sent = 0;
  readonly #load: Load;
  readonly #tally: Tally;
  readonly #inFlight = new Map<number, InFlight>();
  #socket: Socket | undefined;
  #isOpen = false;
  #messageId = 0;

  constructor(sensor: string, load: Load, tally: Tally) {
    this.sensor = sensor;
    this.#load = load;
    this.#tally = tally;
  }

  /** True when nothing waits for an acknowledgement. */
  get isIdle(): boolean {
    return this.#inFlight.size === 0;
  }

  start(): void {
    const { hostname, port } = new URL(this.#load.url);
    const socket = createConnection({ host: hostname, port: Number(port), noDelay: true });
    this.#socket = socket;
    const packets: Packet[] = [];
    const reader = parser();
    reader.on('packet', (packet: Packet) => packets.push(packet));
    socket.on('connect', () => socket.write(generate(this.#connectPacket())));
    socket.on('data', (bytes: Buffer) => {
      reader.parse(bytes);
      this.#take(packets.splice(0));
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#reconnect());
  }

  /** Sends what the window and the rate allow. */
  pump(): void {
    if (!this.#isOpen) return;
    let packets: Buffer[] = [];
    while (this.#inFlight.size < this.#load.window) {
      const message = this.#tally.draw(this.sent);
      if (!message) break;
      this.sent += message.count;
      const messageId = this.#nextMessageId();
      const inFlight = { ...message, isReleased: false };
      this.#inFlight.set(messageId, inFlight);
      packets.push(this.#encode(messageId, inFlight, false));
    }
    if (packets.length > 0) this.#socket?.write(Buffer.concat(packets));
    packets = [];
  }

  end(): void {
    this.#socket?.removeAllListeners('close');
    this.#socket?.destroy();
  }

  #connectPacket(): Packet {
    const { sensor: clientId } = this;
    return {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: false,
      clientId,
      keepalive: 60,
    };
  }

  #take(packets: readonly Packet[]): void {
    const acknowledged: InFlight[] = [];
    for (const packet of packets) {
      if (packet.cmd === 'connack') this.#resume();
      const messageId = 'messageId' in packet ? packet.messageId : undefined;
      const message = messageId === undefined ? undefined : this.#inFlight.get(messageId);
      if (messageId === undefined || message === undefined) continue;
      if (packet.cmd === 'puback') acknowledged.push(message);
      // PUBREC says already that the message is safe.
      if (packet.cmd === 'pubrec' && !message.isReleased) acknowledged.push(message);
      if (packet.cmd === 'pubrec') {
        message.isReleased = true;
        this.#socket?.write(generate({ cmd: 'pubrel', messageId }));
      }
      if (packet.cmd === 'puback' || packet.cmd === 'pubcomp') this.#inFlight.delete(messageId);
    }
    this.#tally.acknowledge(this.sensor, acknowledged);
    this.pump();
  }

  #resume(): void {
    this.#isOpen = true;
    this.#tally.progress.connected++;
    for (const [messageId, message] of this.#inFlight) {
      this.#socket?.write(this.#encode(messageId, message, true));
      this.#tally.progress.resent++;
    }
  }

  #encode(messageId: number, message: InFlight, dup: boolean): Buffer {
    if (message.isReleased) return generate({ cmd: 'pubrel', messageId });
    const bodies = this.#tally.bodiesOf(message).map((body) => `{${body}`);
    const payload = bodies.length === 1 ? bodies[0]! : `[${bodies.join(',')}]`;
    const topic = `sensors/${this.sensor}`;
    return generate({ cmd: 'publish', topic, payload, qos: this.#load.qos, messageId, dup, retain: false });
  }

  #nextMessageId(): number {
    do this.#messageId = (this.#messageId % MAX_MESSAGE_ID) + 1;
    while (this.#inFlight.has(this.#messageId));
    return this.#messageId;
  }

  #reconnect(): void {
    if (this.#isOpen) {
      this.#isOpen = false;
      this.#tally.progress.connected--;
      this.#tally.progress.disconnects++;
    }
    setTimeout(() => this.start(), RECONNECT_AFTER_MS);
  }
}
