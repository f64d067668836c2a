import type { Clock, CommandTopics, Counter } from '@tidemark/core';
import { Payload } from './generated/sparkplug_b.ts';

/** Nodes whose last request is remembered; all are forgotten when there are more. */
const MAX_ASKED = 100_000;
const BOOLEAN = 11;

/** Why a node is asked to send its births again. */
export type RebirthCause = 'gap' | 'no_birth';

interface RebirthsOptions {
  topics: CommandTopics;
  clock: Clock;
  /** Least time between two requests to one node. */
  everyMs: number;
  requests: Counter<'cause'>;
}

/** Asks edge nodes for new births: the command `Node Control/Rebirth`, which every node has to follow. */
export class Rebirths {
  readonly #options: RebirthsOptions;
  readonly #askedMs = new Map<string, number>();

  constructor(options: RebirthsOptions) {
    this.#options = options;
  }

  ask(group: string, node: string, cause: RebirthCause): void {
    const { topics, clock, everyMs, requests } = this.#options;
    const topic = `spBv1.0/${group}/NCMD/${node}`;
    const nowMs = clock.monotonicMs();
    const askedMs = this.#askedMs.get(topic) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - askedMs < everyMs) return;
    if (this.#askedMs.size >= MAX_ASKED) this.#askedMs.clear();
    this.#askedMs.set(topic, nowMs);
    requests.inc({ cause });
    const timestamp = clock.nowNs() / 1_000_000n;
    const metric = {
      name: 'Node Control/Rebirth',
      timestamp,
      datatype: BOOLEAN,
      value: { $case: 'booleanValue', value: true } as const,
    };
    const payload = Payload.encode({ timestamp, metrics: [metric] }).finish();
    // Not while the message that asks for it is on its way through the broker.
    setImmediate(() => topics.command(topic, payload));
  }
}
