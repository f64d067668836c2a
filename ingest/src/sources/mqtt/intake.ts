import { type Acceptor, type HeartbeatSink, readBeat, TidemarkError, type TopicClaims } from '@tidemark/core';
import type { IPublishPacket } from 'mqtt-packet';
import { InOrder } from '../in-order.ts';
import type { ExternalMqttMetrics } from './metrics.ts';

interface IntakeOptions {
  acceptor: Acceptor;
  heartbeats: HeartbeatSink;
  claims: TopicClaims;
  clientId: string;
  maxUnacknowledged: number;
  maxPayloadBytes: number;
  /** Ids of QoS 2 messages that are durable and not released by the broker; they outlive a connection. */
  unreleased: Set<number>;
  metrics: ExternalMqttMetrics;
  /** Packets to send. */
  write: (bytes: Buffer) => void;
  pause: () => void;
  resume: () => void;
  /** Something could not be kept: what is not acknowledged has to come again. */
  fail: (error: unknown) => void;
}

type Acknowledgement = Pick<IPublishPacket, 'messageId' | 'qos'>;

/**
 * Gives the messages of one connection to the acceptor, and acknowledges each once it is durable: in their order (MQTT 5
 * section 4.6), all of one commit in one write. What is refused is in the quarantine, and acknowledged too.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #order = new InOrder<Acknowledgement>();
  #unwaited = 0;
  #hasFailed = false;
  #isFlushing = false;
  #onIdle: (() => void) | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Messages that wait to be durable. */
  get inFlight(): number {
    return this.#order.size + this.#unwaited;
  }

  take(packet: IPublishPacket): void {
    if (this.#hasFailed) return;
    const { metrics, maxUnacknowledged, pause } = this.#options;
    if (packet.dup) metrics.redelivered++;
    if (packet.qos === 0) this.#takeUnwaited(packet);
    else this.#takeAndWait(packet);
    if (this.inFlight >= maxUnacknowledged) pause();
  }

  /** PUBREL: answered by PUBCOMP whether the message is known or not (MQTT 5 section 4.3.3). */
  release(messageId: number): void {
    this.#options.unreleased.delete(messageId);
    this.#options.write(packetOf(PUBCOMP, messageId));
  }

  /** Takes nothing more; resolves when all that was taken is acknowledged. */
  async finish(): Promise<void> {
    this.#hasFailed = true;
    if (this.inFlight === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #takeUnwaited(packet: IPublishPacket): void {
    this.#unwaited++;
    this.#keep(packet, (error) => {
      this.#unwaited--;
      if (error) this.#options.metrics.dropped++;
      this.#flushSoon();
    });
  }

  #takeAndWait(packet: IPublishPacket): void {
    const { messageId = 0, qos } = packet;
    const slot = this.#order.add({ messageId, qos });
    const settle = (): void => {
      slot.isSettled = true;
      this.#flushSoon();
    };
    // Its first delivery is durable, and PUBREC was lost with a connection.
    if (qos === 2 && this.#options.unreleased.has(messageId)) settle();
    else this.#keep(packet, (error) => (error ? this.#fail(error) : settle()));
  }

  #keep(packet: IPublishPacket, done: (error?: unknown) => void): void {
    const { acceptor, claims, heartbeats, metrics } = this.#options;
    const { topic, retain: isRetained } = packet;
    const payload = packet.payload as Buffer;
    const { kind } = claims.of(topic);
    // An empty retained message removes one.
    if (kind === 'own' || kind === 'other' || (isRetained && payload.length === 0)) {
      metrics.others++;
      done();
    } else if (kind === 'heartbeat') {
      heartbeats.beat(readBeat(topic, payload)).then(
        () => done(),
        (error: unknown) => done(error instanceof TidemarkError && error.retryable ? error : undefined),
      );
    } else {
      metrics.readings++;
      acceptor.accept(
        { source: 'mqtt', topic, isRetained, ...this.#bounded(payload), ...this.#deliveryOf(packet) },
        done,
      );
    }
  }

  #bounded(payload: Buffer) {
    const { maxPayloadBytes } = this.#options;
    if (payload.length <= maxPayloadBytes) return { payload };
    const detail = `${payload.length} bytes; the limit is ${maxPayloadBytes}, and no more is kept of it`;
    return {
      payload: payload.subarray(0, maxPayloadBytes),
      problem: { reason: 'too_long' as const, detail },
    };
  }

  #deliveryOf({ qos, messageId = 0, dup }: IPublishPacket) {
    if (qos === 0) return {};
    // Apart from the ids of devices at the platform's own broker.
    return { delivery: { clientId: `external ${this.#options.clientId}`, messageId, isDuplicate: dup } };
  }

  #fail(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#flush();
    this.#options.fail(error);
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    const { unreleased, write, resume, maxUnacknowledged } = this.#options;
    const ready = this.#order.take();
    if (ready.length > 0) {
      for (const { qos, messageId = 0 } of ready) if (qos === 2) unreleased.add(messageId);
      write(
        Buffer.concat(
          ready.map(({ qos, messageId = 0 }) => packetOf(qos === 2 ? PUBREC : PUBACK, messageId)),
        ),
      );
    }
    if (this.inFlight === 0) this.#onIdle?.();
    // Half of the window at a time: else reading would stop and go on for each message.
    if (this.inFlight <= maxUnacknowledged / 2) resume();
  }
}

// The first byte of the packet: MQTT 3.1.1 section 2.2.
const PUBACK = 0x40;
const PUBREC = 0x50;
const PUBCOMP = 0x70;

/** The same in both versions: MQTT 5 leaves a reason code of success out. */
function packetOf(kind: number, messageId: number): Buffer {
  return Buffer.from([kind, 2, messageId >> 8, messageId & 0xff]);
}
