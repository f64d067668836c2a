import { setTimeout as delay } from 'node:timers/promises';
import { Consumer, type MessagesStream } from '@platformatic/kafka';
import {
  type Acceptor,
  type Clock,
  type Config,
  type Logger,
  NS_PER_MS,
  type PartHealth,
  type Registry,
} from '@tidemark/core';
import { Outage } from '../../outage.ts';
import { keepTrying } from '../keep-trying.ts';
import { explain } from './explain.ts';
import { type Committable, KafkaIntake } from './intake.ts';
import { KafkaMetrics } from './metrics.ts';
import { parseTopicTemplate } from './topic-template.ts';

/** Commits only spare records that come twice after a crash, to no effect: few of them are enough. */
const COMMIT_EVERY_MS = 250;
/** A replica that was killed keeps its partitions for so long; then others take them over. */
const SESSION_MS = 10_000;
const LAG_EVERY_MS = 5000;
/** What one answer of a broker may hold: it is in memory whole. */
const MAX_FETCH_BYTES = 4 * 1024 * 1024;
/** How long what was taken has to become durable, and the group to be left, when the platform stops. */
const STOP_GRACE_MS = 700;
/** A commit waits while the group gives out its partitions anew, and then for a second time; after that it is stuck. */
const COMMIT_MS = 60_000;

type RecordConsumer = Consumer<Buffer, Buffer, Buffer, Buffer>;
type RecordStream = MessagesStream<Buffer, Buffer, Buffer, Buffer>;

interface KafkaSourceOptions {
  config: Pick<Config, 'kafka' | 'mqtt' | 'ingest'>;
  acceptor: Acceptor;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
}

/**
 * Takes readings from topics of Kafka as a member of a consumer group. Offsets are committed for durable records only,
 * so that what a crash or a rebalance leaves uncommitted comes again; it connects again for ever.
 */
export class KafkaSource {
  readonly #options: KafkaSourceOptions;
  readonly #metrics: KafkaMetrics;
  readonly #outage: Outage;
  readonly #stopping = new AbortController();
  #current: { consumer: RecordConsumer; intake: KafkaIntake } | undefined;
  #running: Promise<void> | undefined;

  constructor(options: KafkaSourceOptions) {
    this.#options = options;
    this.#metrics = new KafkaMetrics(options.metrics, {
      inFlight: () => this.#current?.intake.inFlight ?? 0,
      isConnected: () => this.#current !== undefined,
    });
    this.#outage = new Outage({
      ...options,
      texts: {
        begun: 'no records come from Kafka; it is tried again',
        lasting: 'still no records come from Kafka',
        ended: 'records come from Kafka again',
      },
      figures: () => ({ brokers: options.config.kafka.brokers }),
    });
  }

  async start(): Promise<void> {
    const { signal } = this.#stopping;
    this.#running = keepTrying(async () => explain(await this.#session().catch((error: unknown) => error)), {
      outage: this.#outage,
      signal,
    });
  }

  /** Takes nothing more, commits what was taken and leaves the group, within some 3 s. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#outage.stop();
  }

  health(): PartHealth {
    const { brokers, groupId } = this.#options.config.kafka;
    const name = 'kafka';
    if (this.#current === undefined)
      return { name, status: 'fail', message: `${brokers.join(',')}: ${this.#outage.fault ?? 'connecting'}` };
    const { consumer, intake } = this.#current;
    const partitions = (consumer.assignments ?? []).reduce((sum, one) => sum + one.partitions.length, 0);
    const message = `group ${groupId}, ${partitions} partitions, ${intake.inFlight} records in flight`;
    return { name, status: 'pass', message };
  }

  /** One membership of the group, from its beginning to its end; answers what ended it. */
  async #session(): Promise<unknown> {
    const { topics } = this.#options.config.kafka;
    const over = new AbortController();
    const end = (reason: unknown): void => over.abort(reason);
    const stop = (): void => end(this.#stopping.signal.reason);
    this.#stopping.signal.addEventListener('abort', stop, { once: true });
    const consumer = this.#createConsumer();
    // When the group cannot be joined again the consumer tries no more, and goes on reading what others may read by now.
    consumer.on('error', end);
    consumer.on('consumer:heartbeat:stalled', () =>
      end(new Error('no heartbeat reaches the group any more; it is joined anew')),
    );
    const joining = consumer.consume({
      topics: topics.map((text) => parseTopicTemplate(text).topic),
      mode: 'committed',
      // A group that is new takes all that is there; one whose place is gone, what is left.
      fallbackMode: 'earliest',
    });
    let stream: RecordStream | undefined;
    try {
      stream = await unlessAborted(joining, over.signal);
      stream.on('error', end);
      stream.on('close', () => end(new Error('the stream of records has ended')));
      const intake = this.#takeFrom(stream, end);
      this.#watchGroup(consumer);
      this.#current = { consumer, intake };
      this.#outage.ended();
      await this.#commitDurable(consumer, intake, { signal: over.signal, end });
      stream.pause();
      return over.signal.reason;
    } finally {
      this.#stopping.signal.removeEventListener('abort', stop);
      this.#current = undefined;
      // A consumer that is no member any more leaves it open when it closes, and the process would never end.
      stream?.destroy();
      const isClosed = consumer.close(true).catch(() => {});
      await Promise.race([isClosed, delay(STOP_GRACE_MS, undefined, { ref: false })]);
    }
  }

  #createConsumer(): RecordConsumer {
    const { brokers, groupId, tls, saslMechanism, username, password } = this.#options.config.kafka;
    return new Consumer({
      clientId: 'tidemark',
      groupId,
      bootstrapBrokers: brokers,
      autocommit: false,
      maxBytes: MAX_FETCH_BYTES,
      sessionTimeout: SESSION_MS,
      heartbeatInterval: SESSION_MS / 5,
      rebalanceTimeout: SESSION_MS * 2,
      ...(tls && { tls: {} }),
      ...(saslMechanism !== 'none' && { sasl: { mechanism: saslMechanism, username, password } }),
    });
  }

  #takeFrom(stream: RecordStream, end: (reason: unknown) => void): KafkaIntake {
    const { config, clock } = this.#options;
    const { groupId, maxUnacknowledged, topics } = config.kafka;
    const intake = new KafkaIntake({
      ...this.#options,
      groupId,
      templates: new Map(topics.map((text) => [parseTopicTemplate(text).topic, parseTopicTemplate(text)])),
      maxPayloadBytes: config.mqtt.maxPacketBytes,
      latestNs: () => clock.nowNs() + BigInt(config.ingest.maxFutureMs) * NS_PER_MS,
      metrics: this.#metrics,
      onDurable: () => {
        // Half of the window at a time: else reading would stop and go on for each record.
        if (stream.isPaused() && intake.inFlight <= maxUnacknowledged / 2) stream.resume();
      },
      fail: end,
    });
    stream.on('data', (record) => {
      intake.take(record);
      if (intake.inFlight >= maxUnacknowledged) stream.pause();
    });
    return intake;
  }

  #watchGroup(consumer: RecordConsumer): void {
    const topics = this.#options.config.kafka.topics.map((text) => parseTopicTemplate(text).topic);
    consumer.on('consumer:group:join', () => this.#metrics.rebalances.inc());
    consumer.on('consumer:lag', (lag) => this.#metrics.setLag(lag));
    consumer.startLagMonitoring({ topics }, LAG_EVERY_MS);
  }

  /** Commits again and again until the signal aborts; then once more what has become durable by then. */
  async #commitDurable(
    consumer: RecordConsumer,
    intake: KafkaIntake,
    { signal, end }: { signal: AbortSignal; end: (reason: unknown) => void },
  ): Promise<void> {
    for (let isLast = false; !isLast; ) {
      await delay(COMMIT_EVERY_MS, undefined, { signal }).catch(() => {});
      isLast = signal.aborted;
      if (isLast) await intake.finish(STOP_GRACE_MS);
      const isOurs = ({ topic, partition }: Committable): boolean =>
        (consumer.assignments ?? []).some((one) => one.topic === topic && one.partitions.includes(partition));
      const offsets = intake.committable().filter(isOurs);
      if (offsets.length === 0 || !consumer.isActive()) continue;
      try {
        const inTime = AbortSignal.timeout(isLast ? STOP_GRACE_MS : COMMIT_MS);
        await unlessAborted(
          consumer.commit({ offsets }),
          isLast ? inTime : AbortSignal.any([inTime, signal]),
        );
        intake.noteCommitted(offsets);
        this.#metrics.commits.inc();
      } catch (error) {
        this.#metrics.failedCommits.inc();
        this.#options.logger.debug({ err: error }, 'offsets were not committed; it is tried again');
        // A commit begins as a member. One that is stuck may not run beside the next, nor does the consumer heal by
        // itself when it could not become a member again on the way.
        if (!consumer.isActive() || isTimeout(error)) end(error);
      }
    }
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}

/** What it resolves with; throws the signal's reason when that aborts before. */
async function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    promise.catch(() => {});
  }
}
