import { join, resolve } from 'node:path';
import { AlertService, HeartbeatService } from '@tidemark/alerts';
import { type ApiParts, createApp, GrpcServer, HttpServer, LiveClients } from '@tidemark/api';
import { Broker } from '@tidemark/broker';
import {
  ClockWatch,
  type Config,
  createLogger,
  createMetrics,
  type Logger,
  type PartHealth,
  systemClock,
} from '@tidemark/core';
import { FlowsSupervisor } from '@tidemark/flows';
import { Ingest, Sources } from '@tidemark/ingest';
import {
  AuditLog,
  assertBindAllowed,
  Credentials,
  type Engine,
  isLoopbackHost,
  openEngine,
  openMetaDb,
  Retention,
  SensorRegistry,
} from '@tidemark/store';
import { buildWeb } from '@tidemark/web';
import { authority } from './connection.ts';
import { claimDataDir } from './data-dir.ts';
import { flowsAccess } from './flows-access.ts';
import { IncidentLog } from './incident-log.ts';
import { version } from './version.ts';
import { WatchedFile } from './watched-file.ts';

interface PlatformOptions {
  config: Config;
  /** Where the rules stand in, which are read again when it changes. */
  configFile?: string | undefined;
  logger?: Logger;
}

export interface PlatformAddress {
  mqttPort: number;
  httpPort: number;
  grpcPort: number;
  /** Of the gateway for lines; undefined where it is off. */
  linesPort: number | undefined;
}

/** The whole platform in one process: the composition root. */
export class Platform {
  readonly #config: Config;
  readonly #configFile: string | undefined;
  readonly #logger: Logger;
  readonly #running = new AsyncDisposableStack();
  #isReady = false;
  #flows: FlowsSupervisor | undefined;

  constructor({ config, configFile, logger }: PlatformOptions) {
    this.#configFile = configFile && resolve(configFile);
    this.#config = { ...config, dataDir: resolve(config.dataDir) };
    this.#logger = logger ?? createLogger(config.logLevel);
  }

  /** Starts every part, in the order that data flows backwards; what had started is stopped if one fails. */
  async start(): Promise<PlatformAddress> {
    try {
      return await this.#start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Stops in reverse: no new messages, then everything accepted goes into the store. */
  async stop(): Promise<void> {
    this.#isReady = false;
    await this.#running.disposeAsync();
  }

  /** The port of Node-RED, waited for at most so long; undefined when it does not run. */
  async flowsPort(timeoutMs: number): Promise<number | undefined> {
    return this.#flows?.whenListening(timeoutMs);
  }

  async #start(): Promise<PlatformAddress> {
    const config = this.#config;
    const logger = this.#logger;
    const metrics = createMetrics();
    const shared = { config, logger, metrics, clock: systemClock };

    await this.#run(new ClockWatch(shared));
    const dataDir = claimDataDir(config.dataDir);
    this.#running.defer(() => dataDir.release());
    const meta = openMetaDb(join(config.dataDir, 'meta.db'));
    this.#running.defer(() => meta.close());
    const access = new Credentials({
      db: meta,
      clock: systemClock,
      isRequired: !isLoopbackHost(config.host),
    });
    assertBindAllowed(config, access);

    const audit = new AuditLog({ ...shared, ...config.audit, db: meta });
    const registry = await this.#run(new SensorRegistry({ ...shared, db: meta, limits: config.registry }));
    const engine = await openEngine(shared);
    await this.#run(engine);
    const retention = await this.#run(new Retention({ ...shared, engine }));
    const ingest = await this.#run(
      new Ingest({
        ...shared,
        engine,
        meta,
        registrar: registry,
        audit,
        incidents: new IncidentLog(shared),
        topics: {
          command: (topic, payload) => {
            broker.command(topic, payload);
            sources.command(topic, payload);
          },
        },
      }),
    );
    // The spool and the store have made their folders: before anything is acknowledged, these must be there to stay.
    dataDir.syncNames();
    const { acceptor, journal, quarantine, desk, freshness, quality } = ingest;
    const heartbeats = new HeartbeatService({
      ...shared,
      db: meta,
      log: ingest.alertsLog,
      alerts: () => alerts.alerts,
      parts: () => [...localHealth(), ...flowsHealth()],
    });
    const broker = await this.#run(
      new Broker({
        ...shared,
        acceptor,
        claims: ingest.mappings.claims,
        heartbeats,
        journal,
        quarantine,
        access,
        version,
      }),
    );

    const alerts = await this.#run(
      new AlertService({
        ...shared,
        engine,
        db: meta,
        audit,
        directory: registry,
        log: ingest.alertsLog,
        topics: broker,
      }),
    );
    const { notifications } = alerts;
    const watchedFile =
      this.#configFile &&
      new WatchedFile({ ...shared, file: this.#configFile, rules: alerts, notifications });
    if (watchedFile) await this.#run(watchedFile);

    const sources = new Sources({ ...shared, acceptor, heartbeats, claims: ingest.mappings.claims, access });
    const localHealth = (): PartHealth[] => [
      broker.health(),
      ...sources.health(),
      ...ingest.health(),
      registry.health(),
      ...alerts.health(),
      ...(watchedFile ? [watchedFile.health()] : []),
      grpc.health(),
    ];
    // Apart, since nothing else is less ready without flows.
    const flowsHealth = (): PartHealth[] => (this.#flows ? [this.#flows.health()] : []);
    const pageDir = await buildWeb();
    const apiParts: ApiParts = {
      ...shared,
      engine,
      acceptor,
      journal,
      live: new LiveClients({ metrics, journal }),
      quarantine,
      registry,
      desk,
      audit,
      history: ingest.history,
      quality,
      rules: alerts,
      alerts: alerts.alerts,
      notifications,
      heartbeats,
      storage: retention,
      backup: ingest.backup,
      brokerTrace: broker,
      ingestTrace: ingest.tracer,
      derivation: ingest.derivation,
      freshness,
      quarantineFreshness: ingest.quarantineFreshness,
      access,
      health: async () => [...localHealth(), ...flowsHealth(), await engineHealth(engine)],
      localHealth,
      isReady: () => this.#isReady,
      mqttPort: () => broker.port,
      flowsPort: () => this.#flows?.port,
      build: { version },
      pageDir,
    };
    const grpc = new GrpcServer(apiParts);
    await this.#run(grpc);
    const app = createApp(apiParts);
    const http = new HttpServer({ config, app });
    http.onUpgrade('/mqtt', (request, socket, head) => broker.handleUpgrade(request, socket, head));
    await this.#run(http);
    await this.#run(heartbeats);
    await this.#run(sources);
    this.#isReady = true;
    if (config.roles.includes('flows')) {
      const apiUrl = `http://${authority(config.host, http.port)}`;
      const mqttUrl = `mqtt://${authority(config.host, broker.port)}`;
      const access = flowsAccess({ config, logger, apiUrl, mqttUrl });
      this.#flows = await this.#run(new FlowsSupervisor({ ...shared, access }));
    }
    return { mqttPort: broker.port, httpPort: http.port, grpcPort: grpc.port, linesPort: sources.linesPort };
  }

  async #run<Part extends { start(): Promise<void>; stop(): Promise<void> }>(part: Part): Promise<Part> {
    this.#running.defer(() => part.stop());
    await part.start();
    return part;
  }
}

async function engineHealth(engine: Engine): Promise<PartHealth> {
  const { isHealthy, message } = await engine.status();
  return { name: 'engine', status: isHealthy ? 'pass' : 'fail', message };
}
