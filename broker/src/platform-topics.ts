import {
  type Clock,
  type Config,
  type Journal,
  type Logger,
  type Quarantine,
  quarantineItemToJson,
} from '@tidemark/core';
import type { StoredPacket } from 'aedes-persistence-level/asyncPersistence.js';
import { LiveTopics } from './live-topics.ts';
import type { BrokerMetrics } from './metrics.ts';
import type { QuietAedes } from './quiet-aedes.ts';
import { filterTrie } from './subscriptions.ts';
import { SystemTopics } from './system-topics.ts';

interface PlatformTopicsOptions {
  aedes: QuietAedes;
  config: Config;
  clock: Clock;
  logger: Logger;
  journal: Journal;
  quarantine: Quarantine;
  traffic: BrokerMetrics;
  version: string;
  socketBytes: () => { received: number; sent: number };
}

/** The topics on which the platform itself publishes: `live/<sensor>`, `quarantine/<source>` and `$SYS/broker/#`. */
export class PlatformTopics {
  readonly #options: PlatformTopicsOptions;
  readonly #live: LiveTopics;
  readonly #system: SystemTopics;
  #stopWatching: () => void = () => {};

  constructor(options: PlatformTopicsOptions) {
    const { aedes, journal, logger, traffic } = options;
    this.#options = options;
    const publish = (topic: string, payload: string): void => aedes.tell(topic, payload);
    this.#live = new LiveTopics({
      journal,
      logger,
      isHeard: () => aedes.hears('live'),
      isSilent: (topic) => aedes.isSilent(topic),
      publish,
      onSkipped: (readings) => traffic.drop('live_behind', readings),
    });
    this.#system = new SystemTopics({
      ...options,
      intervalMs: options.config.mqtt.sysIntervalMs,
      figures: () => this.#figures(),
      publish,
    });
  }

  start(): void {
    const { aedes, quarantine } = this.#options;
    aedes.onListenersChanged = () => this.#live.listenersChanged();
    aedes.sessions.ownRetained = (filter) => this.#systemMessages(filter);
    this.#system.start();
    this.#stopWatching = quarantine.watch((items) => {
      for (const item of items) {
        const topic = `quarantine/${item.source}`;
        if (!aedes.isSilent(topic)) aedes.tell(topic, JSON.stringify(quarantineItemToJson(item)));
      }
    });
  }

  stop(): void {
    this.#stopWatching();
    this.#system.stop();
    this.#live.stop();
  }

  /** As if they were retained: a new subscriber to `$SYS` learns all at once. */
  *#systemMessages(filter: string): Iterable<StoredPacket> {
    if (!filter.startsWith('$SYS/')) return;
    const wanted = filterTrie<true>();
    wanted.add(filter, true);
    for (const [topic, value] of this.#system.current()) {
      if (wanted.match(topic).length === 0) continue;
      yield { cmd: 'publish', topic, payload: Buffer.from(value), qos: 0, retain: true, dup: false };
    }
  }

  #figures() {
    const { aedes, traffic, socketBytes } = this.#options;
    const { sessions } = aedes;
    const { packetsReceived, received, receivedBytes, sent, sentBytes, dropped } = traffic.traffic;
    const bytes = socketBytes();
    return {
      connectedClients: aedes.connectedClients,
      disconnectedClients: sessions.awayCount,
      expiredClients: sessions.expiredCount,
      subscriptions: aedes.subscriptionCount,
      retainedMessages: sessions.retainedCount,
      storedMessages: sessions.queuedCount,
      packetsReceived,
      messagesReceived: received,
      messagesSent: sent,
      messagesDropped: dropped,
      payloadBytesReceived: receivedBytes,
      payloadBytesSent: sentBytes,
      bytesReceived: bytes.received,
      bytesSent: bytes.sent,
    };
  }
}
