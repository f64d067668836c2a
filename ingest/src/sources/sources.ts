import type { Acceptor, Access, Clock, Config, PartHealth, Registry } from '@tidemark/core';
import { LineGateway } from './lines/line-gateway.ts';

interface SourcesOptions {
  config: Config;
  acceptor: Acceptor;
  access: Access;
  clock: Clock;
  metrics: Registry;
}

/** The ways in besides the broker and the API, those that the settings ask for. */
export class Sources {
  readonly #lines: LineGateway | undefined;

  constructor(options: SourcesOptions) {
    this.#lines = options.config.lines.port === 'off' ? undefined : new LineGateway(options);
  }

  /** The port of the gateway for lines; undefined where it is off. */
  get linesPort(): number | undefined {
    return this.#lines?.port;
  }

  async start(): Promise<void> {
    await this.#lines?.start();
  }

  async stop(): Promise<void> {
    await this.#lines?.stop();
  }

  health(): PartHealth[] {
    return this.#lines ? [this.#lines.health()] : [];
  }
}
