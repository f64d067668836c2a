import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Acceptor,
  type Clock,
  type Config,
  type HeartbeatSink,
  type Logger,
  type PartHealth,
  type Registry,
  readingFilters,
  type TopicClaims,
} from '@tidemark/core';
import { Outage } from '../../outage.ts';
import { keepTrying } from '../keep-trying.ts';
import { MqttConnection } from './connection.ts';
import { Intake } from './intake.ts';
import { ExternalMqttMetrics } from './metrics.ts';
import { type MqttSession, readSession, writeSession } from './session-file.ts';

/** How long what was taken has to become durable when the platform stops. */
const STOP_GRACE_MS = 700;

/** How long a start waits for what comes of the first connection; a broker that does not answer keeps nothing waiting. */
const FIRST_CONNECTION_MS = 3000;

interface ExternalBrokerOptions {
  config: Pick<Config, 'dataDir' | 'externalMqtt' | 'mqtt'>;
  /** Which topics hold readings. */
  claims: TopicClaims;
  acceptor: Acceptor;
  heartbeats: HeartbeatSink;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
}

/**
 * Takes readings from an MQTT broker elsewhere, as a client with a session that it keeps: what comes while the platform
 * is away waits there. It connects again for ever, and acknowledges nothing that is not durable.
 */
export class ExternalBroker {
  readonly #options: ExternalBrokerOptions;
  readonly #url: URL;
  readonly #metrics: ExternalMqttMetrics;
  readonly #outage: Outage;
  readonly #stopping = new AbortController();
  readonly #unreleased = new Set<number>();
  #session: MqttSession = { clientId: '', filters: [], qos: 0 };
  #refused: string[] = [];
  #current: { connection: MqttConnection; intake: Intake } | undefined;
  readonly #tried = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;

  constructor(options: ExternalBrokerOptions) {
    this.#options = options;
    this.#url = new URL(options.config.externalMqtt.url);
    const isConnected = (): boolean => this.#current !== undefined;
    const inFlight = (): number => this.#current?.intake.inFlight ?? 0;
    this.#metrics = new ExternalMqttMetrics(options.metrics, {
      get isConnected() {
        return isConnected();
      },
      get inFlight() {
        return inFlight();
      },
    });
    this.#outage = new Outage({
      ...options,
      texts: {
        begun: 'no readings come from the MQTT broker elsewhere; it is tried again',
        lasting: 'still no readings come from the MQTT broker elsewhere',
        ended: 'readings come from the MQTT broker elsewhere again',
      },
      figures: () => ({ broker: this.#url.host }),
    });
  }

  /**
   * Reads who it is there, and begins to connect; throws `data_dir_unusable`. Has subscribed when it returns, or failed to:
   * what is published to a broker that knows of no subscription is kept nowhere, so who waits for `ready` may publish.
   */
  async start(): Promise<void> {
    const kept = await readSession(this.#path);
    const { clientId } = this.#options.config.externalMqtt;
    this.#session = clientId === '' || clientId === kept.clientId ? kept : { clientId, filters: [], qos: 0 };
    await writeSession(this.#path, this.#session);
    const { signal } = this.#stopping;
    const session = (): Promise<Error> =>
      this.#connectOnce().finally(() => {
        this.#current = undefined;
        this.#tried.resolve();
      });
    this.#running = keepTrying(session, { outage: this.#outage, signal });
    await Promise.race([
      this.#tried.promise,
      delay(FIRST_CONNECTION_MS, undefined, { ref: false, signal }),
    ]).catch(() => {});
  }

  /** Takes nothing more, and acknowledges what was taken, for a second at most. The session stays. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#outage.stop();
  }

  /** Publishes a command to devices, once: QoS 0, and nowhere while there is no connection. */
  command(topic: string, payload: Uint8Array): void {
    this.#current?.connection.publish(topic, payload);
  }

  health(): PartHealth {
    const name = 'external_mqtt';
    const { host } = this.#url;
    if (this.#current === undefined)
      return { name, status: 'fail', message: `${host}: ${this.#outage.fault ?? 'connecting'}` };
    if (this.#refused.length > 0)
      return { name, status: 'fail', message: `${host} refuses to subscribe to ${this.#refused.join(', ')}` };
    const message = `connected to ${host}, ${this.#current.intake.inFlight} messages in flight`;
    return { name, status: 'pass', message };
  }

  get #path(): string {
    return join(this.#options.config.dataDir, 'external-mqtt.json');
  }

  /** One connection, from its beginning to its end; answers what ended it. */
  async #connectOnce(): Promise<Error> {
    const { signal } = this.#stopping;
    const { config } = this.#options;
    const { version, sessionExpiryMs, maxUnacknowledged } = config.externalMqtt;
    const connection = await MqttConnection.open(
      {
        url: this.#url,
        version: version === '5' ? 5 : 4,
        clientId: this.#session.clientId,
        sessionExpiryMs,
        receiveMaximum: maxUnacknowledged,
        onPublish: (packet) => intake.take(packet),
        onRelease: (messageId) => intake.release(messageId),
      },
      signal,
    );
    const intake = new Intake({
      ...this.#options,
      clientId: this.#session.clientId,
      maxUnacknowledged,
      maxPayloadBytes: config.mqtt.maxPacketBytes,
      unreleased: this.#unreleased,
      metrics: this.#metrics,
      write: (bytes) => connection.write(bytes),
      pause: () => connection.pause(),
      resume: () => connection.resume(),
      fail: (error) => connection.destroy(error instanceof Error ? error : new Error(String(error))),
    });
    const finish = (): void => void this.#finish(connection, intake);
    signal.addEventListener('abort', finish, { once: true });
    try {
      await connection.connect();
      await this.#subscribe(connection);
      this.#current = { connection, intake };
      this.#metrics.connections.inc();
      this.#outage.ended();
      this.#tried.resolve();
      return await connection.closed;
    } finally {
      signal.removeEventListener('abort', finish);
      connection.destroy();
    }
  }

  async #finish(connection: MqttConnection, intake: Intake): Promise<void> {
    connection.pause();
    await Promise.race([intake.finish(), delay(STOP_GRACE_MS, undefined, { ref: false })]);
    connection.end();
    await Promise.race([connection.closed, delay(STOP_GRACE_MS, undefined, { ref: false })]);
    connection.destroy();
  }

  /** Asks only for what the session does not have: each subscription would bring retained messages again. */
  async #subscribe(connection: MqttConnection): Promise<void> {
    const { group, qos, topics } = this.#options.config.externalMqtt;
    const filters = topics.length > 0 ? topics : [...readingFilters, ...this.#options.claims.filters];
    const wanted = filters.map((filter) => (group === '' ? filter : `$share/${group}/${filter}`));
    const { clientId } = this.#session;
    let had = this.#session.filters;
    if (!connection.isSessionPresent) {
      this.#unreleased.clear();
      if (had.length > 0) {
        this.#metrics.lostSessions.inc();
        this.#options.logger.warn(
          { broker: this.#url.host, clientId },
          'the MQTT broker elsewhere has forgotten the session: what came meanwhile was not kept for it',
        );
      }
      had = [];
    }
    const gone = had.filter((filter) => !wanted.includes(filter));
    const isNew = (filter: string): boolean => !had.includes(filter) || this.#session.qos !== qos;
    const added = wanted.filter(isNew);
    if (gone.length > 0) await connection.unsubscribe(gone);
    this.#refused = added.length > 0 ? await connection.subscribe(added, qos === 2 ? 2 : 1) : [];
    this.#session = { clientId, filters: wanted.filter((filter) => !this.#refused.includes(filter)), qos };
    await writeSession(this.#path, this.#session);
  }
}
