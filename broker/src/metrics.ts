import { Counter, Gauge, type Registry } from '@tidemark/core';

/** Why a message did not reach somebody it was for. A closed list. */
const dropReasons = [
  /** A QoS 0 reading that the spool could not take. */
  'spool_full',
  /** A QoS 0 message that a mapping's expression was too busy to read. */
  'mapping_busy',
  /** QoS 0 for a client that does not read as fast, over the limit of what waits for it. */
  'slow_subscriber',
  /** QoS 1 or 2, over the limit of what waits for a client or its session. */
  'queue_full',
  /** Waited for a client whose connection ended, and its session with it. */
  'disconnected',
  /** Waited for a session that was ended by a clean start, or by its own expiry interval. */
  'session_ended',
  'session_expired',
  'too_many_sessions',
  /** Its own Message Expiry Interval was over. */
  'expired',
  'too_large_for_client',
  'retained_full',
  /** Of a subscription, one or more: the session database cannot be read. */
  'retained_unreadable',
  /** `live/` readings that were skipped, far behind the log. */
  'live_behind',
] as const;

export type DropReason = (typeof dropReasons)[number];

/** Why the broker closed a connection for a failure of its own; the client comes again. A closed list. */
const closeReasons = [
  /** What its session kept could not be read. */
  'session_unreadable',
  /** A QoS 1 message could not be queued for the sessions that subscribe to it: it is not acknowledged. */
  'session_unwritable',
] as const;

type CloseReason = (typeof closeReasons)[number];

/** What the broker tells Prometheus. */
export class BrokerMetrics {
  readonly otherMessages: Counter;
  readonly forbidden: Counter;
  readonly heldTooLong: Counter;
  readonly tooLargePackets: Counter;
  readonly clientErrors: Counter;
  readonly refusedLogins: Counter;
  readonly damagedSessions: Counter;
  readonly frozenClients: Counter;
  readonly #dropped: Counter<'reason'>;
  readonly #closed: Counter<'reason'>;
  /** For `$SYS`; plain numbers, since each message counts. */
  readonly traffic = { packetsReceived: 0, received: 0, receivedBytes: 0, sent: 0, sentBytes: 0, dropped: 0 };

  constructor(registry: Registry, read: { connectedClients: () => number }) {
    const registers = [registry];
    const counter = (name: string, help: string): Counter =>
      new Counter({ name: `tidemark_broker_${name}`, help, registers });
    this.otherMessages = counter(
      'other_messages_total',
      'Messages that claim no reading: brokered, never ingested',
    );
    this.forbidden = counter(
      'forbidden_messages_total',
      "Messages refused because their topic is the platform's own",
    );
    this.#dropped = new Counter({
      name: 'tidemark_broker_dropped_messages_total',
      help: 'Messages that did not reach a client, or readings the spool, they were for',
      labelNames: ['reason'],
      registers,
    });
    for (const reason of dropReasons) this.#dropped.inc({ reason }, 0);
    this.#closed = new Counter({
      name: 'tidemark_broker_closed_connections_total',
      help: 'Connections closed because the session database failed',
      labelNames: ['reason'],
      registers,
    });
    for (const reason of closeReasons) this.#closed.inc({ reason }, 0);
    this.frozenClients = counter(
      'frozen_clients_total',
      'Clients disconnected because they took nothing for 8 s',
    );
    this.heldTooLong = counter(
      'held_connections_total',
      'Connections closed because the spool could not take their readings in time',
    );
    this.tooLargePackets = counter(
      'too_large_packets_total',
      'Packets over the limit, refused before they were buffered',
    );
    this.clientErrors = counter('client_errors_total', 'Connections that ended with an error');
    this.refusedLogins = counter(
      'refused_logins_total',
      'Connections refused for wrong or missing credentials',
    );
    this.damagedSessions = counter(
      'damaged_sessions_total',
      'Databases of MQTT sessions and retained messages set aside at a start because they were damaged',
    );
    new Gauge({
      name: 'tidemark_broker_connections',
      help: 'Clients connected',
      registers,
      collect() {
        this.set(read.connectedClients());
      },
    });
  }

  drop(reason: DropReason, count = 1): void {
    this.#dropped.inc({ reason }, count);
    this.traffic.dropped += count;
  }

  closed(reason: CloseReason): void {
    this.#closed.inc({ reason });
  }

  countReceived(bytes: number): void {
    this.traffic.received++;
    this.traffic.receivedBytes += bytes;
  }

  countSent(bytes: number): void {
    this.traffic.sent++;
    this.traffic.sentBytes += bytes;
  }
}
