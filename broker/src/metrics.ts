import { Counter, Gauge, type Registry } from '@tidemark/core';

/** What the broker tells Prometheus. */
export class BrokerMetrics {
  readonly otherMessages: Counter;
  readonly forbidden: Counter;
  readonly dropped: Counter;
  readonly heldTooLong: Counter;
  readonly tooLargePackets: Counter;
  readonly clientErrors: Counter;
  readonly refusedLogins: Counter;
  readonly sessionRepairs: Counter;

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
    this.dropped = counter(
      'dropped_messages_total',
      'QoS 0 readings dropped because the spool could not take them',
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
    this.sessionRepairs = counter(
      'session_repairs_total',
      'Starts that found the MQTT sessions damaged; some may be lost',
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
}
