import {
  type Acceptor,
  type Cause,
  type Freshness,
  type Outcome,
  type QuarantineItem,
  type QuarantineReason,
  type ReplayOutcome,
  submit,
  TidemarkError,
  type TopicClaims,
} from '@tidemark/core';
import type { AuditLog } from '@tidemark/store';
import type { QuarantineStore } from './quarantine-store.ts';
import { submissionOf } from './submission.ts';

/** How long the store may take to refuse what it is given again, for the answer to tell of it. */
const FLUSH_WITHIN_MS = 2000;

interface ReplayOptions {
  store: QuarantineStore;
  acceptor: Acceptor;
  claims: TopicClaims;
  freshness: Freshness;
  audit: AuditLog;
  /** What was asked for, for the audit log. */
  target: Record<string, string>;
  cause: Cause;
}

/** What came of giving an item again; an error: nothing of it is durable. */
type Answer = Outcome | TidemarkError;

/**
 * One replay. An item is durable in the log before it leaves the quarantine; a crash in between leaves it there, and
 * giving it again writes the same points.
 */
export class Replay {
  readonly #options: ReplayOptions;
  readonly #reasons: Partial<Record<QuarantineReason, number>> = {};
  #replayed = 0;
  #refused = 0;
  #auditId: string | undefined;
  #fault: TidemarkError | undefined;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  /** Why nothing more can be accepted now. */
  get fault(): TidemarkError | undefined {
    return this.#fault;
  }

  get outcome(): Pick<ReplayOutcome, 'replayed' | 'refused' | 'reasons'> {
    return { replayed: this.#replayed, refused: this.#refused, reasons: this.#reasons };
  }

  /** Gives items, waits until they are durable, and takes those that were accepted out of the quarantine. */
  async give(items: readonly QuarantineItem[], payload?: Uint8Array): Promise<void> {
    const { store, freshness } = this.#options;
    const returned: QuarantineItem[] = [];
    const unwatch = store.watch((added) => returned.push(...added.filter(isFromStore)));
    try {
      const answers = await Promise.all(items.map((item) => giveOne(this.#options, item, payload)));
      store.change(() => {
        for (const [index, item] of items.entries())
          this.#settle(item, answers[index]!, payload === undefined);
        this.#audit();
      });
      const lines = new Set(items.filter(isFromStore).map(lineOf));
      // What the store refused once it may refuse again, as a new item.
      if (lines.size === 0) return;
      await freshness.flush(FLUSH_WITHIN_MS);
      for (const item of returned) if (lines.has(lineOf(item))) this.#countReturned(item.reason);
      this.#audit();
    } finally {
      unwatch();
    }
  }

  /** The faults of a changed payload are not the item's. */
  #settle(item: QuarantineItem, answer: Answer, isItsOwn: boolean): void {
    const { store } = this.#options;
    if (answer instanceof TidemarkError) {
      this.#fault = answer;
      return;
    }
    const { rejected } = answer;
    const fault = rejected.find(({ code }) => code === item.reason) ?? rejected[0];
    if (fault === undefined) {
      // Another replay may have been faster.
      if (store.remove(item.id)) this.#replayed++;
      return;
    }
    this.#countRefused(fault.code);
    if (isItsOwn) store.refuseAgain(item, fault.code, fault.detail);
  }

  #countReturned(reason: QuarantineReason): void {
    this.#replayed--;
    this.#countRefused(reason);
  }

  #countRefused(reason: QuarantineReason): void {
    this.#refused++;
    this.#reasons[reason] = (this.#reasons[reason] ?? 0) + 1;
  }

  #audit(): void {
    const { audit, target, cause } = this.#options;
    this.#auditId ??= audit.begin({ action: 'quarantine.replay', target, cause });
    audit.count(this.#auditId, { replayed: this.#replayed, refused: this.#refused });
  }
}

async function giveOne(
  { acceptor, claims }: Pick<ReplayOptions, 'acceptor' | 'claims'>,
  item: QuarantineItem,
  payload: Uint8Array | undefined,
): Promise<Answer> {
  try {
    const submission = submissionOf(item, claims, payload);
    return submission === undefined
      ? refusedAsBefore(item, `topic ${item.topic} claims to hold no readings any more`)
      : await submit(acceptor, submission);
  } catch (error) {
    if (!(error instanceof TidemarkError)) throw error;
    if (error.retryable) return error;
    // One that can be read no more must not hold up all others.
    if (payload === undefined) return refusedAsBefore(item, error.message);
    throw error;
  }
}

function refusedAsBefore({ reason }: QuarantineItem, detail: string): Outcome {
  return { ids: [], accepted: 0, rejected: [{ index: 0, code: reason, detail }] };
}

function isFromStore({ source }: QuarantineItem): boolean {
  return source === 'store';
}

function lineOf({ payload }: QuarantineItem): string {
  return Buffer.from(payload).toString('utf8');
}
