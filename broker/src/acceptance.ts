import {
  type Acceptor,
  type Clock,
  type HeartbeatSink,
  type Logger,
  readBeat,
  TidemarkError,
  type TopicClaims,
} from '@tidemark/core';
import type { Client, PublishPacket } from 'aedes';
import { LimitedLog } from './limited-log.ts';
import type { BrokerMetrics } from './metrics.ts';

/** How long a publisher may wait for its fsync before its connection is closed, so that it tries again later. */
const MAX_HOLD_MS = 5000;
const CHECK_EVERY_MS = 500;

type Callback = (error?: Error | null) => void;

/** What a client waits for. It outlives the single message: an entry made for each would be work for the collector. */
interface Waiting {
  publishes: number;
  /** When the oldest of them began to wait, or the last one before it was answered. */
  sinceMs: number;
}

interface AcceptanceOptions {
  acceptor: Acceptor;
  claims: TopicClaims;
  heartbeats: HeartbeatSink;
  clock: Clock;
  logger: Logger;
  metrics: BrokerMetrics;
}

/**
 * Makes PUBACK mean durable: Aedes acknowledges after `authorizePublish` calls back, and this calls back
 * only once the reading is fsynced (for QoS 2 that is before PUBREC). It never answers a reading with an
 * error: an MQTT 3.1.1 client would resend the same poison for ever, and an MQTT 5 client would give it up.
 */
export class Acceptance {
  readonly #options: AcceptanceOptions;
  readonly #waiting = new Map<Client, Waiting>();
  readonly #dropLog: LimitedLog;
  readonly #beatLog: LimitedLog;
  #nowMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AcceptanceOptions) {
    this.#options = options;
    this.#nowMs = options.clock.monotonicMs();
    this.#dropLog = new LimitedLog(options.logger, 'QoS 0 readings are lost: they could not be taken');
    this.#beatLog = new LimitedLog(options.logger, 'heartbeats are not taken');
  }

  start(): void {
    this.#timer = setInterval(() => this.#closeTheStuck(), CHECK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#dropLog.stop();
    this.#beatLog.stop();
  }

  /** Aedes' `authorizePublish`; also called for wills, then perhaps without a client. */
  authorizePublish(client: Client | null, packet: PublishPacket, callback: Callback): void {
    const { metrics } = this.#options;
    metrics.countReceived(packet.payload.length);
    const { kind } = this.#options.claims.of(packet.topic);
    if (kind === 'own') {
      metrics.forbidden.inc();
      callback(new TidemarkError('forbidden', `only the platform itself publishes on ${packet.topic}`));
    } else if (kind === 'other' || isRetainedRemoval(packet)) {
      metrics.otherMessages.inc();
      callback();
    } else if (kind === 'heartbeat') {
      this.#takeHeartbeat(client, packet, callback);
    } else if (client === null || packet.qos === 0) {
      this.#acceptUnwaited(packet, callback);
    } else {
      this.#acceptAndWait(client, packet, callback);
    }
  }

  /**
   * QoS 0 promises nothing and waits for nothing; what the log can't take is dropped and counted, also when that
   * turns out only as the log stops, long after the broker.
   */
  #acceptUnwaited(packet: PublishPacket, callback: Callback): void {
    const payload = bytesOf(packet);
    this.#options.acceptor.accept({ source: 'mqtt', topic: packet.topic, payload }, (error) => {
      if (!error) return;
      this.#options.metrics.drop(error.code === 'unavailable' ? 'mapping_busy' : 'spool_full');
      this.#dropLog.tell(error);
    });
    callback();
  }

  #acceptAndWait(client: Client, packet: PublishPacket, callback: Callback): void {
    const waiting = this.#beginWaiting(client);
    const delivery = { clientId: client.id, messageId: packet.messageId ?? 0, isDuplicate: packet.dup };
    const submission = { source: 'mqtt' as const, topic: packet.topic, payload: bytesOf(packet), delivery };
    this.#options.acceptor.accept(submission, (error) => {
      // With an error the publisher is held: no answer, and closed when it has waited long enough.
      if (!error) this.#settle(waiting, callback);
    });
  }

  /** Held as readings are. One that can never be taken is told in the log, and acknowledged. */
  #takeHeartbeat(client: Client | null, packet: PublishPacket, callback: Callback): void {
    const waiting = client === null || packet.qos === 0 ? undefined : this.#beginWaiting(client);
    const settle = () => waiting && this.#settle(waiting, callback);
    this.#options.heartbeats.beat(readBeat(packet.topic, bytesOf(packet))).then(settle, (error: unknown) => {
      this.#beatLog.tell(error);
      if (!(error instanceof TidemarkError && error.retryable)) settle();
    });
    if (waiting === undefined) callback();
  }

  #settle(waiting: Waiting, callback: Callback): void {
    waiting.sinceMs = this.#nowMs;
    waiting.publishes--;
    callback();
  }

  #beginWaiting(client: Client): Waiting {
    let waiting = this.#waiting.get(client);
    if (waiting === undefined) {
      waiting = { publishes: 0, sinceMs: this.#nowMs };
      this.#waiting.set(client, waiting);
    }
    if (waiting.publishes++ === 0) waiting.sinceMs = this.#nowMs;
    return waiting;
  }

  #closeTheStuck(): void {
    this.#nowMs = this.#options.clock.monotonicMs();
    for (const [client, { publishes, sinceMs }] of this.#waiting) {
      if (this.#nowMs - sinceMs < MAX_HOLD_MS) continue;
      this.#waiting.delete(client);
      if (publishes === 0) continue;
      this.#options.metrics.heldTooLong.inc();
      client.conn.destroy();
    }
  }
}

/** A retained message with no payload removes the retained one; it is no reading. */
function isRetainedRemoval({ retain, payload }: PublishPacket): boolean {
  return retain && payload.length === 0;
}

function bytesOf({ payload }: PublishPacket): Uint8Array {
  return typeof payload === 'string' ? Buffer.from(payload) : payload;
}
