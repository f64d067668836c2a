import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Acceptor,
  type Access,
  type AlertTopics,
  type BrokerTrace,
  type Clock,
  type CommandTopics,
  type Config,
  type HeartbeatSink,
  type Journal,
  type Logger,
  type PartHealth,
  type Quarantine,
  type Registry,
  TidemarkError,
  type TopicClaims,
  type TracedMessage,
  type TraceStep,
} from '@tidemark/core';
import type { Aedes, AuthenticateError, Client } from 'aedes';
import type { ClassicLevel } from 'classic-level';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { Acceptance } from './acceptance.ts';
import { BrokerMetrics } from './metrics.ts';
import { PlatformTopics } from './platform-topics.ts';
import { QuietAedes } from './quiet-aedes.ts';
import type { SessionLimits } from './session-store.ts';
import { closeSessions, openSessions } from './sessions.ts';
import { traceMessage } from './trace-message.ts';

/** A subscriber that takes nothing for this long is disconnected, so that it is gone within 10 s. */
const DRAIN_TIMEOUT_MS = 8000;
/** How long clients have to take their goodbye; then their sockets are closed. */
const GOODBYE_MS = 500;
/** Connections that may wait to be accepted: all devices come back at once after an outage. */
const BACKLOG = 4096;
/** MQTT 5 topic aliases for each client. */
const MAX_TOPIC_ALIASES = 16;
/** CONNACK codes, MQTT 3.1.1 section 3.2.2.3; clients try again after the first. */
const SERVER_UNAVAILABLE = 3;
const BAD_USERNAME_OR_PASSWORD = 4;

interface BrokerOptions {
  config: Config;
  acceptor: Acceptor;
  claims: TopicClaims;
  heartbeats: HeartbeatSink;
  journal: Journal;
  quarantine: Quarantine;
  access: Access;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
  /** Of Tidemark, for `$SYS`. */
  version: string;
}

/** The MQTT broker: Aedes over TCP, and over the WebSocket connections that the HTTP server hands on. */
export class Broker implements AlertTopics, BrokerTrace, CommandTopics {
  readonly #options: BrokerOptions;
  readonly #metrics: BrokerMetrics;
  readonly #acceptance: Acceptance;
  readonly #webSockets: WebSocketServer;
  #aedes: QuietAedes | undefined;
  #sessions: ClassicLevel<string, unknown> | undefined;
  /** Where the session database is that was found damaged at the start. */
  #damagedSessions: string | undefined;
  #server: Server | undefined;
  #topics: PlatformTopics | undefined;
  readonly #sockets = new Set<Socket>();
  /** What went through sockets that are closed. */
  readonly #closedBytes = { received: 0, sent: 0 };

  constructor(options: BrokerOptions) {
    this.#options = options;
    this.#metrics = new BrokerMetrics(options.metrics, {
      connectedClients: () => this.#aedes?.connectedClients ?? 0,
    });
    this.#acceptance = new Acceptance({ ...options, metrics: this.#metrics });
    const maxPayload = options.config.mqtt.maxPacketBytes;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      maxPayload,
      handleProtocols: chooseProtocol,
      perMessageDeflate: false,
    });
  }

  async start(): Promise<void> {
    const { config, clock, logger } = this.#options;
    const { dataDir, mqtt, host } = config;
    this.#sessions = await openSessions({
      directory: join(dataDir, 'broker'),
      clock,
      logger,
      onDamage: (keptAt) => {
        this.#damagedSessions = keptAt;
        this.#metrics.damagedSessions.inc();
      },
    });
    this.#aedes = await QuietAedes.open({
      db: this.#sessions,
      limits: limitsOf(mqtt),
      metrics: this.#metrics,
      clock,
      logger,
      maximumPacketSize: mqtt.maxPacketBytes,
      maxTopicLevels: mqtt.maxTopicLevels,
      sessionExpiryIntervalLimit: Math.ceil(mqtt.sessionExpiryMs / 1000),
      topicAliasMaximum: MAX_TOPIC_ALIASES,
      drainTimeout: DRAIN_TIMEOUT_MS,
      authenticate: (_client, username, password, done) => this.#authenticate(username, password, done),
      authorizePublish: (client, packet, callback) =>
        this.#acceptance.authorizePublish(client, packet, callback),
    });
    this.#watch(this.#aedes);
    this.#acceptance.start();
    this.#topics = new PlatformTopics({
      ...this.#options,
      aedes: this.#aedes,
      traffic: this.#metrics,
      socketBytes: () => this.#socketBytes(),
    });
    this.#topics.start();
    const { handle } = this.#aedes;
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        this.#closedBytes.received += socket.bytesRead;
        this.#closedBytes.sent += socket.bytesWritten;
      });
      handle(socket);
    });
    await listen(this.#server, mqtt.port, host);
  }

  /** Disconnects everyone; what they had sent and was accepted is in the log. */
  async stop(): Promise<void> {
    this.#topics?.stop();
    const server = this.#server;
    const isClosed = server && new Promise((resolve) => server.close(resolve));
    const aedes = this.#aedes;
    const isQuiet = aedes && new Promise<void>((resolve) => aedes.close(() => resolve()));
    // Who never said CONNECT, or takes nothing any more, must not hold up the end.
    await Promise.race([isQuiet, delay(GOODBYE_MS, undefined, { ref: false })]);
    for (const socket of this.#sockets) socket.destroy();
    await isClosed;
    await isQuiet;
    this.#webSockets.close();
    this.#acceptance.stop();
    await aedes?.sessions.stop();
    if (this.#sessions) await closeSessions(this.#sessions, this.#options.logger);
  }

  /** The TCP port in use. */
  get port(): number {
    const address = this.#server?.address();
    if (!address || typeof address === 'string') throw new Error('the broker does not listen');
    return address.port;
  }

  /** Publishes a retained message of the platform's own; resolves when it is kept. An empty one clears the topic. */
  async retain(topic: string, payload: string): Promise<void> {
    if (!this.#aedes) throw new Error('the broker has not started');
    await this.#aedes.retain(topic, payload);
  }

  /** Publishes a message of the platform's own at QoS 1; resolves when it is on its way, and kept for sessions. */
  async publish(topic: string, payload: string): Promise<void> {
    if (!this.#aedes) throw new Error('the broker has not started');
    await this.#aedes.send(topic, payload);
  }

  command(topic: string, payload: Uint8Array): void {
    this.#aedes?.tell(topic, payload);
  }

  /** Takes over an HTTP connection that asked for a WebSocket; the caller has checked who may. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#aedes?.handle(createWebSocketStream(webSocket), request);
    });
  }

  traceMessage(message: TracedMessage): TraceStep[] {
    return traceMessage(message, this.#options);
  }

  health(): PartHealth {
    if (this.#server?.listening !== true) return { name: 'broker', status: 'fail', message: 'not listening' };
    const clients = `${this.#aedes?.connectedClients ?? 0} clients`;
    const lost = this.#damagedSessions;
    const message =
      lost === undefined
        ? clients
        : `${clients}; MQTT sessions and retained messages from before the start are lost: they were damaged, and are kept in ${lost}`;
    return { name: 'broker', status: 'pass', message };
  }

  #authenticate(
    username: string | undefined,
    password: Uint8Array | undefined,
    done: (error: AuthenticateError | null, success: boolean | null) => void,
  ): void {
    const { access, logger } = this.#options;
    if (!access.isRequired && username === undefined) {
      done(null, true);
      return;
    }
    const refuse = (returnCode: number, reason: string): void => {
      this.#metrics.refusedLogins.inc();
      done(Object.assign(new Error(reason), { returnCode }), null);
    };
    if (username === undefined || password === undefined) {
      refuse(BAD_USERNAME_OR_PASSWORD, 'credentials are required');
      return;
    }
    access.checkUser(username, password).then(
      (isKnown) =>
        isKnown ? done(null, true) : refuse(BAD_USERNAME_OR_PASSWORD, 'bad user name or password'),
      (error: unknown) => {
        logger.error({ err: error }, 'a login could not be checked');
        refuse(SERVER_UNAVAILABLE, 'the login could not be checked');
      },
    );
  }

  #socketBytes(): { received: number; sent: number } {
    const bytes = { ...this.#closedBytes };
    for (const socket of this.#sockets) {
      bytes.received += socket.bytesRead;
      bytes.sent += socket.bytesWritten;
    }
    return bytes;
  }

  #watch(aedes: Aedes): void {
    const onError = (client: Client | null, error: Error): void => {
      if (error.message === 'packet too large') this.#metrics.tooLargePackets.inc();
      else if (error.message === 'drain timeout') this.#metrics.frozenClients.inc();
      else this.#metrics.clientErrors.inc();
      this.#options.logger.debug(
        { client: client?.id, err: error },
        'a client connection ended with an error',
      );
    };
    aedes.on('clientError', onError);
    aedes.on('connectionError', onError);
    // Aedes emits it when its persistence fails; its types do not list it.
    (aedes as EventEmitter).on('error', (error: Error) =>
      this.#options.logger.error({ err: error }, 'the broker reports an error'),
    );
  }
}

function limitsOf(mqtt: Config['mqtt']): SessionLimits {
  return {
    queue: { maxMessages: mqtt.maxQueuedMessages, maxBytes: mqtt.maxQueuedBytes },
    maxExpirySeconds: Math.ceil(mqtt.sessionExpiryMs / 1000),
    maxAway: mqtt.maxAwaySessions,
    maxRetained: mqtt.maxRetainedMessages,
  };
}

/** Clients ask for `mqtt` (MQTT 3.1.1 section 6) or, older ones, `mqttv3.1`. */
function chooseProtocol(offered: Set<string>): string | false {
  return ['mqtt', 'mqttv3.1'].find((name) => offered.has(name)) ?? false;
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const isTaken = cause.code === 'EADDRINUSE';
      const message = isTaken
        ? `MQTT port ${port} on ${host} is in use; set TIDEMARK_MQTT_PORT to another, or 0 for any`
        : `cannot listen for MQTT on ${host}:${port}: ${cause.message}`;
      reject(new TidemarkError(isTaken ? 'address_in_use' : 'unavailable', message, { cause }));
    });
    server.listen({ port, host, backlog: BACKLOG }, () => resolve());
  });
}
