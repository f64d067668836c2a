import { setTimeout as delay } from 'node:timers/promises';
import type { Message } from '@platformatic/kafka';
import type { Acceptor, Delivery } from '@tidemark/core';
import { InOrder, type Slot } from '../in-order.ts';
import type { KafkaMetrics } from './metrics.ts';
import { type TopicTemplate, topicOf } from './topic-template.ts';

/** Records that are durable are looked through at least so often, however long a commit takes. */
const MAX_SETTLED = 10_000;

type KafkaRecord = Pick<
  Message<Buffer, Buffer, Buffer, Buffer>,
  'topic' | 'partition' | 'offset' | 'key' | 'value' | 'timestamp' | 'leaderEpoch'
>;

/** A place behind records that are durable, as Kafka commits it. */
export type Committable = Pick<KafkaRecord, 'topic' | 'partition' | 'offset' | 'leaderEpoch'>;

interface KafkaIntakeOptions {
  acceptor: Acceptor;
  templates: ReadonlyMap<string, TopicTemplate>;
  groupId: string;
  maxPayloadBytes: number;
  /** The latest time that a record may give its readings. */
  latestNs: () => bigint;
  metrics: KafkaMetrics;
  /** One more record is durable. */
  onDurable: () => void;
  /** A record could not be kept: what is behind it has to come again. */
  fail: (error: unknown) => void;
}

/**
 * Gives records to the acceptor in the order they came and says up to where each partition is durable. The order is one
 * over all partitions: after a rebalance the same partition may come from an earlier place again, and nothing may be
 * committed over what an earlier delivery of it still waits for.
 */
export class KafkaIntake {
  readonly #options: KafkaIntakeOptions;
  readonly #order = new InOrder<Committable>();
  readonly #uncommitted = new Map<string, Committable>();
  #waiting = 0;
  #isOver = false;
  #onIdle: (() => void) | undefined;

  constructor(options: KafkaIntakeOptions) {
    this.#options = options;
  }

  /** Records that wait to be durable. */
  get inFlight(): number {
    return this.#waiting;
  }

  take({ topic, partition, offset, leaderEpoch, ...record }: KafkaRecord): void {
    if (this.#isOver) return;
    const { acceptor, metrics } = this.#options;
    metrics.records++;
    const slot = this.#order.add({ topic, partition, offset: offset + 1n, leaderEpoch });
    this.#waiting++;
    if (record.value === null || record.value === undefined) {
      metrics.emptyRecords++;
      this.#settle(slot);
      return;
    }
    const delivery = this.#deliveryOf({ topic, partition, offset, timestamp: record.timestamp });
    acceptor.accept({ source: 'kafka', ...this.#messageOf(topic, record), delivery }, (error) => {
      if (error) this.#fail(error);
      else this.#settle(slot);
    });
  }

  /** Places behind all that is durable and not committed, one for each partition. */
  committable(): Committable[] {
    for (const place of this.#order.take()) {
      const known = this.#uncommitted.get(keyOf(place));
      if (known === undefined || known.offset < place.offset) this.#uncommitted.set(keyOf(place), place);
    }
    return [...this.#uncommitted.values()];
  }

  noteCommitted(places: readonly Committable[]): void {
    for (const place of places) {
      const key = keyOf(place);
      if (this.#uncommitted.get(key)?.offset === place.offset) this.#uncommitted.delete(key);
    }
  }

  /** Takes nothing more; resolves when all that was taken is durable, or after `timeoutMs`. */
  async finish(timeoutMs: number): Promise<void> {
    this.#isOver = true;
    if (this.#waiting === 0) return;
    const isIdle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    await Promise.race([isIdle, delay(timeoutMs, undefined, { ref: false })]);
  }

  #messageOf(kafkaTopic: string, { key, value }: Pick<KafkaRecord, 'key' | 'value'>) {
    const { templates, maxPayloadBytes } = this.#options;
    const { topic, problem } = topicOf(
      templates.get(kafkaTopic) ?? { topic: kafkaTopic, template: undefined },
      key,
    );
    if (value.length > maxPayloadBytes) {
      const detail = `${value.length} bytes; the limit is ${maxPayloadBytes}, and no more is kept of it`;
      return {
        topic,
        payload: value.subarray(0, maxPayloadBytes),
        problem: { reason: 'too_long' as const, detail },
      };
    }
    if (problem !== undefined)
      return { topic, payload: value, problem: { reason: 'bad_sensor' as const, detail: problem } };
    return { topic, payload: value };
  }

  /**
   * A record that comes again, to whichever replica, gives readings without a time the one it gave before: that of the
   * record (ms), told apart within its partition by the offset.
   */
  #deliveryOf({
    topic,
    partition,
    offset,
    timestamp,
  }: Pick<KafkaRecord, 'topic' | 'partition' | 'offset' | 'timestamp'>): Delivery {
    const { groupId, latestNs } = this.#options;
    const firstNs = timestamp * 1_000_000n + (offset % 1000n);
    const isUsable = timestamp >= 0n && firstNs <= latestNs();
    return {
      clientId: `kafka ${groupId} ${topic} ${partition}`,
      messageId: Number(offset % 0x1_0000_0000n),
      isDuplicate: true,
      firstNs: isUsable ? firstNs : undefined,
    };
  }

  #settle(slot: Slot<Committable>): void {
    slot.isSettled = true;
    if (this.#order.size >= MAX_SETTLED) this.committable();
    if (--this.#waiting === 0) this.#onIdle?.();
    this.#options.onDurable();
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.fail(error);
  }
}

function keyOf({ topic, partition }: Committable): string {
  return `${topic} ${partition}`;
}
