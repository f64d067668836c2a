import type {
  Acceptor,
  Access,
  Alerts,
  Backup,
  BrokerTrace,
  Clock,
  Config,
  Derivation,
  Freshness,
  Heartbeats,
  IngestTrace,
  Journal,
  Logger,
  Notifications,
  PartHealth,
  Quality,
  Quarantine,
  QuarantineDesk,
  Registry,
  Rules,
  SensorHistory,
  Storage,
} from '@tidemark/core';
import type { AuditLog, Engine, SensorRegistry } from '@tidemark/store';
import type { LiveClients } from './live/live-clients.ts';
import type { AskedWebSocket } from './web-sockets.ts';

/** What the API is made of; `cli` passes the real parts. */
export interface ApiParts {
  config: Config;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
  engine: Engine;
  acceptor: Acceptor;
  journal: Journal;
  /** Those who follow the journal. */
  live: LiveClients;
  quarantine: Quarantine;
  registry: SensorRegistry;
  desk: QuarantineDesk;
  audit: AuditLog;
  history: SensorHistory;
  quality: Quality;
  rules: Rules;
  alerts: Alerts;
  notifications: Notifications;
  heartbeats: Heartbeats;
  storage: Storage;
  backup: Backup;
  brokerTrace: BrokerTrace;
  ingestTrace: IngestTrace;
  derivation: Derivation;
  /** Of the store. */
  freshness: Freshness;
  quarantineFreshness: Freshness;
  access: Access;
  /** State of every part; asks the store, which may take some seconds to give no answer. */
  health: () => Promise<PartHealth[]>;
  /** State of the parts in this process, known at once. */
  localHealth: () => PartHealth[];
  /** True once MQTT, HTTP and queries have come up. */
  isReady: () => boolean;
  build: { version: string };
  /** Folder of the built page; without it, `/` says that the page is not built. */
  pageDir?: string | undefined;
  /** The port that MQTT listens on, which the page shows; undefined where this process runs no broker. */
  mqttPort: () => number | undefined;
  /** The port that Node-RED listens on, which the page links to; undefined where it does not run. */
  flowsPort: () => number | undefined;
}

/** What the server passes along with each request. */
export interface ApiEnv {
  Bindings: {
    /** Aborted when the server stops: endless answers end themselves. */
    stopping?: AbortSignal;
    /** With a request that asks for a WebSocket. */
    webSocket?: AskedWebSocket;
  };
}
