import { resolve } from 'node:path';
import { createStatusApp, HttpServer } from '@tidemark/api';
import { type Config, createLogger, createMetrics, systemClock } from '@tidemark/core';
import { FlowsSupervisor } from '@tidemark/flows';
import { isLoopbackHost } from '@tidemark/store';
import { claimDataDir } from './data-dir.ts';
import { flowsAccess } from './flows-access.ts';
import { OneToken } from './one-token.ts';
import { version } from './version.ts';

interface RunningFlows {
  supervisor: FlowsSupervisor;
  /** Of `/health`, `/ready` and `/metrics`. */
  httpPort: number;
}

/** Node-RED alone, beside a platform that runs elsewhere (`roles: flows`), and how it does by HTTP. */
export class FlowsProcess {
  readonly #config: Config;
  readonly #running = new AsyncDisposableStack();

  constructor(config: Config) {
    this.#config = { ...config, dataDir: resolve(config.dataDir) };
  }

  async start(): Promise<RunningFlows> {
    try {
      return await this.#start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#running.disposeAsync();
  }

  async #start(): Promise<RunningFlows> {
    const config = this.#config;
    const shared = {
      config,
      clock: systemClock,
      logger: createLogger(config.logLevel),
      metrics: createMetrics(),
    };
    const dataDir = claimDataDir(config.dataDir);
    this.#running.defer(() => dataDir.release());
    const access = flowsAccess(shared);
    const supervisor = new FlowsSupervisor({ ...shared, access });
    const app = createStatusApp({
      ...shared,
      // The platform's own, which flows have to know anyway.
      access: new OneToken({ token: access.token, isRequired: !isLoopbackHost(config.host) }),
      build: { version },
      flowsPort: () => supervisor.port,
      isReady: () => supervisor.port !== undefined && supervisor.health().status === 'pass',
      health: async () => [supervisor.health()],
      localHealth: () => [supervisor.health()],
    });
    const http = new HttpServer({ config, app });
    this.#running.defer(() => http.stop());
    await http.start();
    this.#running.defer(() => supervisor.stop());
    await supervisor.start();
    return { supervisor, httpPort: http.port };
  }
}
