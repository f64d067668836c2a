import type {
  Acceptor,
  Access,
  Clock,
  Config,
  HeartbeatSink,
  Logger,
  PartHealth,
  Registry,
  TopicClaims,
} from '@tidemark/core';
import { LineGateway } from './lines/line-gateway.ts';
import type { ExternalBroker } from './mqtt/external-broker.ts';

interface SourcesOptions {
  config: Config;
  acceptor: Acceptor;
  heartbeats: HeartbeatSink;
  claims: TopicClaims;
  access: Access;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
}

interface Source {
  start(): Promise<void>;
  stop(): Promise<void>;
  health(): PartHealth;
}

/** The ways in besides the broker and the API, those that the settings ask for. */
export class Sources {
  readonly #options: SourcesOptions;
  readonly #lines: LineGateway | undefined;
  #externalBroker: ExternalBroker | undefined;
  readonly #started: Source[] = [];

  constructor(options: SourcesOptions) {
    this.#options = options;
    this.#lines = options.config.lines.port === 'off' ? undefined : new LineGateway(options);
  }

  /** The port of the gateway for lines; undefined where it is off. */
  get linesPort(): number | undefined {
    return this.#lines?.port;
  }

  async start(): Promise<void> {
    const { config } = this.#options;
    if (this.#lines) await this.#begin(this.#lines);
    // Loaded only where it is asked for: most platforms need no client of another broker.
    if (config.externalMqtt.url !== '') {
      const { ExternalBroker } = await import('./mqtt/external-broker.ts');
      this.#externalBroker = new ExternalBroker(this.#options);
      await this.#begin(this.#externalBroker);
    }
    if (config.kafka.brokers.length > 0) {
      const { KafkaSource } = await import('./kafka/kafka-source.ts');
      await this.#begin(new KafkaSource(this.#options));
    }
  }

  /** Passes a command on to devices that are behind another broker. */
  command(topic: string, payload: Uint8Array): void {
    this.#externalBroker?.command(topic, payload);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#started.map((source) => source.stop()));
  }

  health(): PartHealth[] {
    return this.#started.map((source) => source.health());
  }

  async #begin(source: Source): Promise<void> {
    this.#started.push(source);
    await source.start();
  }
}
