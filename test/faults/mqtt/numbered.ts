import { EventEmitter, once } from 'node:events';
import type { Packet } from 'mqtt-packet';
import { Reconnecting } from './reconnecting.ts';

/** Messages of a publisher that wait for their acknowledgement. */
export const WINDOW = 20;

interface NumberedOptions {
  url: string;
  topic: string;
  qos: 1 | 2;
}

interface PublisherOptions extends NumberedOptions {
  /** The message of a number; by default the number itself, to `topic`. */
  messageOf?: (number: number) => { topic: string; payload: string };
  /** Between the acknowledgement of one and the next in its place. */
  pauseMs?: number;
}

/** Publishes the numbers from 0 on, each until it is acknowledged, by the rules of MQTT 3.1.1 section 4.3. */
export class NumberPublisher extends Reconnecting {
  readonly #options: PublisherOptions;
  /** By message id: the number, and whether PUBREC came for it. */
  readonly #inFlight = new Map<number, { number: number; isReleased: boolean }>();
  #sent = 0;
  #last = Number.POSITIVE_INFINITY;
  readonly #events = new EventEmitter<{ acknowledged: [] }>();
  acknowledged = 0;

  constructor(options: PublisherOptions) {
    super(options.url, `${options.topic}-publisher`);
    this.#options = options;
  }

  async untilMore(count: number): Promise<void> {
    const target = this.acknowledged + count;
    while (this.acknowledged < target) await once(this.#events, 'acknowledged');
  }

  /** Sends nothing new; resolves with how many there were when all are acknowledged. */
  async finish(): Promise<number> {
    this.#last = this.#sent;
    while (this.#inFlight.size > 0) await once(this.#events, 'acknowledged');
    return this.#sent;
  }

  protected override resume(): void {
    for (const messageId of this.#inFlight.keys()) this.#sendAgain(messageId, true);
    this.#pump();
  }

  protected override take(packet: Packet): void {
    const messageId = packet.messageId ?? 0;
    const message = this.#inFlight.get(messageId);
    if (message === undefined) return;
    if (packet.cmd === 'pubrec') {
      message.isReleased = true;
      this.#sendAgain(messageId, false);
    } else if (packet.cmd === 'puback' || packet.cmd === 'pubcomp') {
      this.#inFlight.delete(messageId);
      this.acknowledged++;
      this.#events.emit('acknowledged');
      const { pauseMs } = this.#options;
      if (pauseMs === undefined) this.#pump();
      else setTimeout(() => this.#pumpOne(), pauseMs);
    }
  }

  #pump(): void {
    while (this.isOpen && this.#inFlight.size < WINDOW && this.#sent < this.#last) this.#pumpOne();
  }

  #pumpOne(): void {
    if (!this.isOpen || this.#inFlight.size >= WINDOW || this.#sent >= this.#last) return;
    const number = this.#sent++;
    const messageId = (number % 65_535) + 1;
    this.#inFlight.set(messageId, { number, isReleased: false });
    this.#sendAgain(messageId, false);
  }

  #sendAgain(messageId: number, dup: boolean): void {
    const { number, isReleased } = this.#inFlight.get(messageId)!;
    const { topic, qos, messageOf = () => ({ topic, payload: String(number) }) } = this.#options;
    if (isReleased) this.send({ cmd: 'pubrel', messageId });
    else this.send({ cmd: 'publish', ...messageOf(number), qos, messageId, dup, retain: false });
  }
}

/** Subscribes once, and counts how often it was given each number. */
export class NumberSubscriber extends Reconnecting {
  readonly #options: NumberedOptions;
  /** Ids of QoS 2 messages that came and were not yet released: one that comes again is the same message. */
  readonly #received = new Set<number>();
  readonly #events = new EventEmitter<{ change: [] }>();
  #isSubscribed = false;
  readonly times = new Map<number, number>();
  /** Numbers that came before a lower one did for the first time. */
  disordered = 0;
  #highest = -1;

  constructor(options: NumberedOptions) {
    super(options.url, `${options.topic}-subscriber`);
    this.#options = options;
  }

  async untilSubscribed(): Promise<void> {
    while (!this.#isSubscribed) await once(this.#events, 'change');
  }

  /** Resolves when a number has come. */
  async until(number: number): Promise<void> {
    while (!this.times.has(number)) await once(this.#events, 'change');
  }

  protected override resume(): void {
    if (this.#isSubscribed) return;
    const { topic, qos } = this.#options;
    this.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] });
  }

  protected override take(packet: Packet): void {
    if (packet.cmd === 'suback') this.#isSubscribed = true;
    else if (packet.cmd === 'pubrel') {
      this.#received.delete(packet.messageId!);
      this.send({ cmd: 'pubcomp', messageId: packet.messageId! });
    } else if (packet.cmd === 'publish') {
      const messageId = packet.messageId!;
      if (packet.qos === 1 || !this.#received.has(messageId)) this.#note(Number(packet.payload.toString()));
      if (packet.qos === 2) this.#received.add(messageId);
      this.send({ cmd: packet.qos === 2 ? 'pubrec' : 'puback', messageId });
    }
    this.#events.emit('change');
  }

  #note(number: number): void {
    const before = this.times.get(number) ?? 0;
    this.times.set(number, before + 1);
    if (before === 0 && number < this.#highest) this.disordered++;
    this.#highest = Math.max(this.#highest, number);
  }
}
