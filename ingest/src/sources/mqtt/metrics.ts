import { Counter, Gauge, type Registry } from '@tidemark/core';

interface State {
  readonly isConnected: boolean;
  readonly inFlight: number;
}

/** What the source behind another MQTT broker tells Prometheus. */
export class ExternalMqttMetrics {
  readonly connections: Counter;
  readonly lostSessions: Counter;
  // Plain numbers: on the acceptance path each counter of a library shows.
  readings = 0;
  others = 0;
  redelivered = 0;
  dropped = 0;

  constructor(registry: Registry, state: State) {
    const registers = [registry];
    const gauges: [name: string, help: string, value: () => number][] = [
      [
        'connected',
        'Whether there is a connection to the MQTT broker elsewhere',
        () => Number(state.isConnected),
      ],
      ['in_flight', 'Messages of it that wait to be durable', () => state.inFlight],
    ];
    for (const [name, help, value] of gauges)
      new Gauge({
        name: `tidemark_external_mqtt_${name}`,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    const counters: [name: string, help: string, value: () => number][] = [
      ['readings_messages', 'Messages of it that claim to hold readings', () => this.readings],
      ['other_messages', 'Messages of it that hold none, which are not kept', () => this.others],
      ['redelivered_messages', 'Messages of it that it sent again (DUP)', () => this.redelivered],
      ['dropped_messages', 'QoS 0 messages of it that the spool could not take', () => this.dropped],
    ];
    for (const [name, help, value] of counters)
      new Counter({
        name: `tidemark_external_mqtt_${name}_total`,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(value());
        },
      });
    this.connections = new Counter({
      name: 'tidemark_external_mqtt_connections_total',
      help: 'Connections to it that were made',
      registers,
    });
    this.lostSessions = new Counter({
      name: 'tidemark_external_mqtt_lost_sessions_total',
      help: 'Times that it had forgotten the session, and with it what came meanwhile',
      registers,
    });
  }
}
