import { resolve } from 'node:path';
import { type Config, createLogger, createMetrics } from '@tidemark/core';
import { FlowsSupervisor } from '@tidemark/flows';
import { claimDataDir } from './data-dir.ts';
import { flowsAccess } from './flows-access.ts';

/** Node-RED alone, beside a platform that runs elsewhere (`roles: flows`). */
export class FlowsProcess {
  readonly #config: Config;
  readonly #running = new AsyncDisposableStack();

  constructor(config: Config) {
    this.#config = { ...config, dataDir: resolve(config.dataDir) };
  }

  async start(): Promise<FlowsSupervisor> {
    const config = this.#config;
    const dataDir = claimDataDir(config.dataDir);
    this.#running.defer(() => dataDir.release());
    const logger = createLogger(config.logLevel);
    const access = flowsAccess({ config, logger });
    const flows = new FlowsSupervisor({ config, access, logger, metrics: createMetrics() });
    this.#running.defer(() => flows.stop());
    await flows.start();
    return flows;
  }

  async stop(): Promise<void> {
    await this.#running.disposeAsync();
  }
}
