import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Acceptor,
  type Cause,
  type Freshness,
  formatTime,
  type Logger,
  type QuarantineDesk,
  type QuarantineFilter,
  type ReplayOutcome,
  type ReplayPlace,
  type TopicClaims,
} from '@tidemark/core';
import type { AuditLog } from '@tidemark/store';
import type { IngestMetrics } from '../metrics.ts';
import type { QuarantineStore } from './quarantine-store.ts';
import { Replay } from './replay.ts';

/** Items given at once: they share an fdatasync, and their payloads are in memory. */
const CHUNK_ITEMS = 200;
const CHUNK_BYTES = 4 * 1024 * 1024;
/** Items discarded in one transaction: everything else waits while it runs. */
const DISCARD_AT_ONCE = 200;

interface DeskOptions {
  store: QuarantineStore;
  acceptor: Acceptor;
  claims: TopicClaims;
  freshness: Freshness;
  audit: AuditLog;
  metrics: IngestMetrics;
  logger: Logger;
}

/** What people do about what was refused: it is given again, or discarded for good. */
export class Desk implements QuarantineDesk {
  readonly #options: DeskOptions;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  async replay(id: string, cause: Cause, payload?: Uint8Array): Promise<ReplayOutcome | undefined> {
    const item = this.#options.store.get(id);
    if (item === undefined) return undefined;
    const target = payload === undefined ? { id } : { id, payload: 'changed' };
    const replay = new Replay({ ...this.#options, target, cause });
    await replay.give([item], payload);
    return this.#end(replay, { left: 0, next: undefined }, { ...cause, target });
  }

  async replayAll(
    { limit, after, ...filter }: QuarantineFilter & { limit: number; after?: ReplayPlace | undefined },
    cause: Cause,
  ): Promise<ReplayOutcome> {
    const { store } = this.#options;
    const target = targetOf(filter);
    const replay = new Replay({ ...this.#options, target, cause });
    const newestId = after?.newestId ?? store.newestId ?? '0';
    let place = after;
    for (let tried = 0; tried < limit; ) {
      const room = { limit: Math.min(CHUNK_ITEMS, limit - tried), maxBytes: CHUNK_BYTES };
      const items = store.oldest({ ...filter, after: place, newestId, ...room });
      const last = items.at(-1);
      if (last === undefined) break;
      await replay.give(items);
      if (replay.fault) break;
      place = { timeNs: last.timeNs, id: last.id, newestId };
      tried += items.length;
    }
    const left = store.countOf({ ...filter, after: place, newestId });
    return this.#end(replay, { left, next: left > 0 ? place : undefined }, { ...cause, target });
  }

  discard(id: string, cause: Cause): boolean {
    const { store, audit } = this.#options;
    const target = { id };
    const isThere = store.change(() => {
      if (!store.remove(id)) return false;
      audit.count(audit.begin({ action: 'quarantine.discard', target, cause }), { discarded: 1 });
      return true;
    });
    if (isThere) this.#tellDiscarded(1, { ...cause, target });
    return isThere;
  }

  async discardAll(filter: QuarantineFilter, cause: Cause): Promise<number> {
    const { store, audit } = this.#options;
    const target = targetOf(filter);
    const newestId = store.newestId ?? '0';
    let auditId: string | undefined;
    let discarded = 0;
    for (let removed = DISCARD_AT_ONCE; removed === DISCARD_AT_ONCE; await nextTurn()) {
      removed = store.change(() => {
        const count = store.removeMatching({ ...filter, newestId, limit: DISCARD_AT_ONCE });
        if (count === 0) return 0;
        auditId ??= audit.begin({ action: 'quarantine.discard', target, cause });
        audit.count(auditId, { discarded: discarded + count });
        return count;
      });
      discarded += removed;
    }
    if (discarded > 0) this.#tellDiscarded(discarded, { ...cause, target });
    return discarded;
  }

  /** Throws what holds the acceptor where nothing came of the replay. */
  #end(replay: Replay, rest: Pick<ReplayOutcome, 'left' | 'next'>, context: object): ReplayOutcome {
    const { outcome, fault } = replay;
    const { replayed, refused } = outcome;
    const { metrics, logger } = this.#options;
    metrics.quarantineReplayed.inc({ outcome: 'accepted' }, replayed);
    metrics.quarantineReplayed.inc({ outcome: 'refused' }, refused);
    if (fault !== undefined && replayed + refused === 0) throw fault;
    if (replayed + refused > 0)
      logger.info({ ...context, replayed, refused }, 'replayed from the quarantine');
    return { ...outcome, ...rest };
  }

  #tellDiscarded(discarded: number, context: object): void {
    const { metrics, logger } = this.#options;
    metrics.quarantineDiscarded.inc(discarded);
    logger.info({ ...context, discarded }, 'discarded from the quarantine');
  }
}

/** The filter as the audit log has it: as it was asked, times as text. */
function targetOf(filter: QuarantineFilter): Record<string, string> {
  const { fromNs, toNs, ...names } = filter;
  const times = { from: timeText(fromNs), to: timeText(toNs) };
  return Object.fromEntries(
    Object.entries({ ...names, ...times }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
}

function timeText(timeNs: bigint | undefined): string | undefined {
  return timeNs === undefined ? undefined : formatTime(timeNs);
}
