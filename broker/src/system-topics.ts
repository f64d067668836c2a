import type { Clock } from '@tidemark/core';

/** What `$SYS/broker/` tells, as it stands now. */
interface BrokerFigures {
  connectedClients: number;
  /** Sessions kept for clients that are away. */
  disconnectedClients: number;
  /** Sessions ended since the start because their clients stayed away. */
  expiredClients: number;
  subscriptions: number;
  retainedMessages: number;
  /** Messages kept for sessions. */
  storedMessages: number;
  /** Packets of any type. */
  packetsReceived: number;
  messagesReceived: number;
  messagesSent: number;
  messagesDropped: number;
  payloadBytesReceived: number;
  payloadBytesSent: number;
  bytesReceived: number;
  bytesSent: number;
}

interface SystemTopicsOptions {
  version: string;
  intervalMs: number;
  clock: Clock;
  figures: () => BrokerFigures;
  publish: (topic: string, payload: string) => void;
}

/**
 * `$SYS/broker/#` by the names that Mosquitto gives them (mosquitto(8), "Broker status"), so that what monitors
 * a Mosquitto reads this broker too. As there, what has changed is told at an interval, and a new subscriber is
 * told everything at once.
 */
export class SystemTopics {
  readonly #options: SystemTopicsOptions;
  readonly #startedMs: number;
  #values = new Map<string, string>();
  #mostClients = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SystemTopicsOptions) {
    this.#options = options;
    this.#startedMs = options.clock.monotonicMs();
  }

  start(): void {
    this.#timer = setInterval(() => this.#tellChanges(), this.#options.intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Every topic with its value now. */
  current(): Map<string, string> {
    const { clock, figures, version } = this.#options;
    const now = figures();
    this.#mostClients = Math.max(this.#mostClients, now.connectedClients);
    const uptimeSeconds = Math.floor((clock.monotonicMs() - this.#startedMs) / 1000);
    return new Map(
      Object.entries({
        version: `tidemark version ${version}`,
        uptime: `${uptimeSeconds} seconds`,
        'clients/connected': now.connectedClients,
        'clients/disconnected': now.disconnectedClients,
        'clients/total': now.connectedClients + now.disconnectedClients,
        'clients/maximum': this.#mostClients,
        'clients/expired': now.expiredClients,
        'subscriptions/count': now.subscriptions,
        'retained messages/count': now.retainedMessages,
        'store/messages/count': now.storedMessages,
        'messages/received': now.packetsReceived,
        'publish/messages/received': now.messagesReceived,
        'publish/messages/sent': now.messagesSent,
        'publish/messages/dropped': now.messagesDropped,
        'publish/bytes/received': now.payloadBytesReceived,
        'publish/bytes/sent': now.payloadBytesSent,
        'bytes/received': now.bytesReceived,
        'bytes/sent': now.bytesSent,
      }).map(([name, value]) => [`$SYS/broker/${name}`, String(value)]),
    );
  }

  #tellChanges(): void {
    const before = this.#values;
    this.#values = this.current();
    for (const [topic, value] of this.#values) {
      if (before.get(topic) !== value) this.#options.publish(topic, value);
    }
  }
}
