import type { Journal, JournalEntry } from '@tidemark/core';
import type { ReadingFilter } from '@tidemark/store';
import { createReadingMatcher, type LiveReading } from './match-readings.ts';

/** What a live client is told. `resumeAt` is the offset to go on from without missing anything. */
export type LiveEvent =
  | { kind: 'readings'; readings: readonly LiveReading[]; resumeAt: number }
  | { kind: 'gap'; gap: LiveGap; resumeAt: number }
  | { kind: 'heartbeat'; resumeAt: number };

interface LiveGap {
  /** `reclaimed`: the log no longer holds them; `ahead`: the log never held them; `behind`: the client is too slow. */
  reason: 'reclaimed' | 'ahead' | 'behind';
  /** Offsets that were left out, `to` exclusive. */
  from: number;
  to: number;
  /** Readings left out, null where nobody can know. */
  skipped: number | null;
}

interface LiveOptions {
  journal: Journal;
  filter: ReadingFilter;
  /** Offset to resume at; undefined starts with what comes next. */
  resumeAt: number | undefined;
  signal: AbortSignal;
  heartbeatMs: number;
  /** Log that may lie between a client that had caught up and the end; past it, readings are skipped. */
  maxLagBytes: number;
}

/**
 * The journal's readings that match, as they become durable. It reads ahead only when asked for the next
 * event, so a slow client costs no memory: what it has not taken is still on disk, and once it is
 * `maxLagBytes` behind, it is brought to the present and told by a gap how much it missed.
 * A client that resumes gets all that the journal holds first.
 */
export async function* liveEvents(options: LiveOptions): AsyncGenerator<LiveEvent> {
  const { journal, resumeAt, signal, heartbeatMs, maxLagBytes } = options;
  const match = createReadingMatcher(options.filter);
  const start = startOf(journal, resumeAt);
  let at = start.offset;
  if (start.gap !== undefined) yield { kind: 'gap', gap: start.gap, resumeAt: at };
  // The first thing a client learns is where it is: lost before its first reading, it still misses none.
  yield { kind: 'heartbeat', resumeAt: at };
  let hasCaughtUp = resumeAt === undefined;
  let skipped = 0;
  let skippedFrom = at;

  for await (const entries of withHeartbeats(journal.read(at, signal), heartbeatMs)) {
    if (entries === undefined) {
      yield { kind: 'heartbeat', resumeAt: at };
      continue;
    }
    const [first, last] = [entries[0], entries.at(-1)];
    if (first === undefined || last === undefined) continue;
    // Offsets also jump where a segment begins; only what was reclaimed in between is missed.
    if (at < journal.firstOffset && journal.firstOffset <= first.offset) {
      yield { kind: 'gap', gap: reclaimed(at, first.offset), resumeAt: first.offset };
    }
    const isBehind = journal.endOffset - last.nextOffset > maxLagBytes;
    hasCaughtUp ||= !isBehind;
    at = last.nextOffset;
    if (isBehind && hasCaughtUp) {
      if (skipped === 0) skippedFrom = first.offset;
      skipped += countReadings(entries, match);
      continue;
    }
    if (skipped > 0) {
      const gap: LiveGap = { reason: 'behind', from: skippedFrom, to: first.offset, skipped };
      skipped = 0;
      yield { kind: 'gap', gap, resumeAt: first.offset };
    }
    const readings = entries.flatMap(match);
    if (readings.length > 0) yield { kind: 'readings', readings, resumeAt: at };
  }
}

function startOf(journal: Journal, resumeAt: number | undefined): { offset: number; gap?: LiveGap } {
  const { firstOffset, endOffset } = journal;
  if (resumeAt === undefined) return { offset: endOffset };
  if (resumeAt > endOffset) {
    return { offset: endOffset, gap: { reason: 'ahead', from: endOffset, to: resumeAt, skipped: null } };
  }
  if (resumeAt < firstOffset) return { offset: firstOffset, gap: reclaimed(resumeAt, firstOffset) };
  return { offset: resumeAt };
}

function reclaimed(from: number, to: number): LiveGap {
  return { reason: 'reclaimed', from, to, skipped: null };
}

function countReadings(
  entries: readonly JournalEntry[],
  match: (entry: JournalEntry) => LiveReading[],
): number {
  return entries.reduce((sum, entry) => sum + match(entry).length, 0);
}

/** The batches, and undefined whenever `heartbeatMs` pass without one. */
async function* withHeartbeats<T>(
  source: AsyncIterable<T>,
  heartbeatMs: number,
): AsyncGenerator<T | undefined> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = iterator.next();
      let result = await orTimeout(next, heartbeatMs);
      while (result === undefined) {
        yield undefined;
        result = await orTimeout(next, heartbeatMs);
      }
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    await iterator.return?.();
  }
}

async function orTimeout<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, undefined);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
