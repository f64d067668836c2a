import { once } from 'node:events';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { asBuffer, TidemarkError } from '@tidemark/core';
import { generate, type IConnackPacket, type IPublishPacket, type Packet, parser } from 'mqtt-packet';
import { reasonOfDisconnect, refusalOfConnect } from './reason-codes.ts';

const KEEPALIVE_SECONDS = 30;
/** How long the broker may take to answer CONNECT, SUBSCRIBE or UNSUBSCRIBE. */
const ANSWER_MS = 10_000;
/** A connection over which nothing came for so long, a ping's answer neither, is gone. */
const SILENCE_MS = KEEPALIVE_SECONDS * 1500;

export interface MqttConnectionOptions {
  /** `mqtt://` or `mqtts://`, with user name and password where the broker asks for them. */
  url: URL;
  version: 4 | 5;
  clientId: string;
  sessionExpiryMs: number;
  /** MQTT 5: most messages that the broker sends ahead of their acknowledgement. */
  receiveMaximum: number;
  onPublish: (packet: IPublishPacket) => void;
  /** PUBREL: the broker will not send this message again. */
  onRelease: (messageId: number) => void;
}

type Awaited = { resolve: (packet: Packet) => void; reject: (error: Error) => void };

/**
 * One connection to a broker, as a client of MQTT 3.1.1 or 5 that sees every packet: a message is acknowledged when
 * the caller says so, and not when it was taken off the wire.
 */
export class MqttConnection {
  /** Resolves when it has ended, with what ended it. */
  readonly closed: Promise<Error>;
  isSessionPresent = false;
  readonly #options: MqttConnectionOptions;
  readonly #socket: Socket;
  /** By the packet's kind and id. */
  readonly #awaited = new Map<string, Awaited>();
  #fault: Error | undefined;
  #lastReceivedMs = performance.now();
  #messageId = 0;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: MqttConnectionOptions, socket: Socket) {
    this.#options = options;
    this.#socket = socket;
    const packets = parser({ protocolVersion: options.version });
    packets.on('packet', (packet) => this.#take(packet));
    packets.on('error', (error) => socket.destroy(error));
    socket.on('data', (chunk) => {
      this.#lastReceivedMs = performance.now();
      packets.parse(chunk);
    });
    socket.on('error', (error) => {
      this.#fault ??= error;
    });
    this.closed = once(socket, 'close').then(() => this.#end());
  }

  /** Opens the socket; throws what the network says. */
  static async open(options: MqttConnectionOptions, signal: AbortSignal): Promise<MqttConnection> {
    return new MqttConnection(options, await openSocket(options.url, signal));
  }

  /** Says who we are; throws `unavailable` (retryable) when the broker refuses, or does not answer. */
  async connect(): Promise<void> {
    const { url, version, clientId, sessionExpiryMs, receiveMaximum } = this.#options;
    const { username, password } = url;
    const properties = {
      sessionExpiryInterval: Math.ceil(sessionExpiryMs / 1000),
      receiveMaximum,
    };
    this.#send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: version,
      clientId,
      clean: false,
      keepalive: KEEPALIVE_SECONDS,
      ...(username !== '' && { username: decodeURIComponent(username) }),
      ...(password !== '' && { password: Buffer.from(decodeURIComponent(password)) }),
      ...(version === 5 && { properties }),
    });
    const connack = (await this.#answer('connack', undefined)) as IConnackPacket;
    const refusal = refusalOfConnect(connack, version);
    if (refusal !== undefined) throw new TidemarkError('unavailable', refusal, { retryable: true });
    this.isSessionPresent = connack.sessionPresent;
    const keepaliveSeconds = Math.min(
      connack.properties?.serverKeepAlive ?? KEEPALIVE_SECONDS,
      KEEPALIVE_SECONDS,
    );
    this.#timer = setInterval(() => this.#ping(), (keepaliveSeconds * 1000) / 2);
  }

  /** Subscribes; answers which filters the broker refused. */
  async subscribe(filters: readonly string[], qos: 1 | 2): Promise<string[]> {
    const messageId = this.#nextMessageId();
    const { version } = this.#options;
    // MQTT 5 section 3.8.3.1: retained messages only where the subscription is new.
    const options = version === 5 ? { qos, rh: 1 } : { qos };
    const subscriptions = filters.map((topic) => ({ topic, ...options }));
    this.#send({ cmd: 'subscribe', messageId, subscriptions });
    const { granted } = (await this.#answer('suback', messageId)) as { granted: number[] };
    return filters.filter((_, index) => (granted[index] ?? REFUSED) >= REFUSED);
  }

  async unsubscribe(filters: readonly string[]): Promise<void> {
    const messageId = this.#nextMessageId();
    this.#send({ cmd: 'unsubscribe', messageId, unsubscriptions: [...filters] });
    await this.#answer('unsuback', messageId);
  }

  /** Publishes at QoS 0. */
  publish(topic: string, payload: Uint8Array): void {
    this.#send({ cmd: 'publish', qos: 0, dup: false, retain: false, topic, payload: asBuffer(payload) });
  }

  /** Sends packets as they are; nothing once the connection has ended. */
  write(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** Reads no further until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    // Else the pause would count as the broker's silence.
    if (this.#socket.isPaused()) this.#lastReceivedMs = performance.now();
    this.#socket.resume();
  }

  /** Ends it in order; the session stays with the broker. */
  end(): void {
    if (this.#socket.writable) this.#socket.end(generate({ cmd: 'disconnect' }, this.#codec));
    this.#socket.resume();
  }

  destroy(fault?: Error): void {
    this.#fault ??= fault;
    this.#socket.destroy();
  }

  get #codec(): { protocolVersion: 4 | 5 } {
    return { protocolVersion: this.#options.version };
  }

  #ping(): void {
    const silentMs = performance.now() - this.#lastReceivedMs;
    if (silentMs > SILENCE_MS && !this.#socket.isPaused())
      this.destroy(new Error(`the broker has sent nothing for ${Math.round(silentMs / 1000)} s`));
    else this.#send({ cmd: 'pingreq' });
  }

  #take(packet: Packet): void {
    switch (packet.cmd) {
      case 'publish':
        this.#options.onPublish(packet);
        return;
      case 'pubrel':
        this.#options.onRelease(packet.messageId ?? 0);
        return;
      case 'disconnect':
        this.destroy(new Error(reasonOfDisconnect(packet.reasonCode ?? 0)));
        return;
      default: {
        const key = keyOf(packet.cmd, packet.cmd === 'connack' ? undefined : packet.messageId);
        this.#awaited.get(key)?.resolve(packet);
        this.#awaited.delete(key);
      }
    }
  }

  #send(packet: Packet): void {
    this.write(generate(packet, this.#codec));
  }

  async #answer(cmd: Packet['cmd'], messageId: number | undefined): Promise<Packet> {
    const { promise, resolve, reject } = Promise.withResolvers<Packet>();
    const key = keyOf(cmd, messageId);
    this.#awaited.set(key, { resolve, reject });
    if (this.#socket.destroyed) reject(this.#fault ?? new Error(CLOSED));
    const late = new TidemarkError('unavailable', `the broker did not answer by ${cmd} in time`, {
      retryable: true,
    });
    const timer = setTimeout(() => reject(late), ANSWER_MS);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#awaited.delete(key);
    });
  }

  #nextMessageId(): number {
    this.#messageId = (this.#messageId % 0xffff) + 1;
    return this.#messageId;
  }

  #end(): Error {
    clearInterval(this.#timer);
    const fault = this.#fault ?? new Error(CLOSED);
    for (const { reject } of this.#awaited.values()) reject(fault);
    this.#awaited.clear();
    return fault;
  }
}

const REFUSED = 0x80;
const CLOSED = 'the broker closed the connection';

function keyOf(cmd: string, messageId: number | undefined): string {
  return `${cmd} ${messageId ?? ''}`;
}

async function openSocket({ protocol, hostname, port }: URL, signal: AbortSignal): Promise<Socket> {
  const isTls = protocol === 'mqtts:';
  const host = hostname.replace(/^\[|\]$/g, '');
  const address = { host, port: Number(port || (isTls ? 8883 : 1883)), noDelay: true };
  const socket = isTls
    ? connectTls({ ...address, ...(isIP(host) === 0 && { servername: host }) })
    : connectTcp(address);
  try {
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
    await once(socket, isTls ? 'secureConnect' : 'connect', { signal: inTime });
    return socket;
  } catch (error) {
    socket.on('error', () => {});
    socket.destroy();
    throw error;
  }
}
