import { type Acceptor, type Outcome, type Submission, TidemarkError } from '@tidemark/core';

type MqttSubmission = Extract<Submission, { source: 'mqtt' }>;

/** An acceptor that makes nothing durable until the test says so. */
export class HeldAcceptor implements Acceptor {
  readonly submissions: MqttSubmission[] = [];
  /** Refuses everything, as a spool does that can take no more. */
  isFull = false;
  readonly #dones: ((error?: TidemarkError) => void)[] = [];
  readonly #waiters = new Set<() => void>();

  accept(submission: Submission, done: (error?: TidemarkError) => void): Outcome {
    if (submission.source !== 'mqtt') throw new Error('the broker takes MQTT alone');
    this.submissions.push(submission);
    for (const wake of this.#waiters) wake();
    if (this.isFull) done(new TidemarkError('spool_full', 'full', { retryable: true }));
    else this.#dones.push(done);
    return { ids: [], accepted: 1, rejected: [] };
  }

  /** Resolves when `count` messages have come. */
  async submitted(count: number): Promise<void> {
    while (this.submissions.length < count) {
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
      this.#waiters.clear();
    }
  }

  /** Everything that came is durable now; with an error, it never will be. */
  releaseAll(error?: TidemarkError): void {
    for (const done of this.#dones.splice(0)) done(error);
  }
}
