import type { Journal } from '@tidemark/core';
import type { ReadingFilter } from '@tidemark/store';
import type { LiveFeed, LiveListener } from './live-feed.ts';
import { createReadingMatcher, matchEntry, type SentReading } from './match-readings.ts';
import { NewestReadings } from './newest-readings.ts';

/** Of the lag that is too much, what is left when a client has been brought to the present. */
const PRESENT_PART = 1 / 16;

/** What a live client is told. `resumeAt` is the offset to go on from without missing anything. */
export type LiveEvent =
  | { kind: 'readings'; readings: readonly SentReading[]; resumeAt: number }
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
  /** Of the same journal. */
  feed: LiveFeed;
  filter: ReadingFilter;
  /** Offset to resume at; undefined starts with what comes next. */
  resumeAt: number | undefined;
  signal: AbortSignal;
  heartbeatMs: number;
  /** Log that may lie between a client that had caught up and the end; past it, readings are skipped. */
  maxLagBytes: number;
}

/**
 * The journal's readings that match, as they become durable. A client that resumes gets all that the journal holds
 * first. Then it hears what is read once for all (`feed`), until it takes too little: it goes on by itself then, from
 * what is on disk, so that a slow client costs no memory. Once it is `maxLagBytes` behind, it is brought to the
 * present: it is told by a gap how many readings it missed, and gets the newest one of each series.
 */
export async function* liveEvents(options: LiveOptions): AsyncGenerator<LiveEvent> {
  const { journal, feed, filter, resumeAt, signal } = options;
  const start = startOf(journal, resumeAt);
  const place: Place = {
    at: start.offset,
    hasCaughtUp: resumeAt === undefined,
    listener: undefined,
    behind: undefined,
  };
  if (start.gap !== undefined) yield { kind: 'gap', gap: start.gap, resumeAt: place.at };
  // The first thing a client learns is where it is: lost before its first reading, it still misses none.
  yield { kind: 'heartbeat', resumeAt: place.at };
  try {
    place.listener = feed.join(filter, place.at);
    for (;;) {
      if (place.listener !== undefined) yield* heard(place.listener, place, options);
      place.listener = undefined;
      if (signal.aborted) return;
      yield* readAlone(place, options);
      // Else the log has ended.
      if (place.listener === undefined) return;
    }
  } finally {
    place.listener?.close();
  }
}

/** How far a client is. */
interface Place {
  at: number;
  hasCaughtUp: boolean;
  /** While it is in the feed. */
  listener: LiveListener | undefined;
  /** While it is brought to the present. */
  behind: Behind | undefined;
}

/** What comes by the feed, until that drops the client off. */
async function* heard(
  listener: LiveListener,
  place: Place,
  { signal, heartbeatMs }: LiveOptions,
): AsyncGenerator<LiveEvent> {
  place.hasCaughtUp = true;
  while (!signal.aborted) {
    const isWoken = await listener.wait(heartbeatMs, signal);
    if (listener.isOver) return;
    const { readings, resumeAt } = listener.take();
    place.at = resumeAt;
    if (readings.length > 0) yield { kind: 'readings', readings, resumeAt };
    else if (!isWoken) yield { kind: 'heartbeat', resumeAt };
  }
}

/** What the client has not seen yet, read from the log for it alone, up to its place in the feed. */
async function* readAlone(place: Place, options: LiveOptions): AsyncGenerator<LiveEvent> {
  const { journal, feed, filter, signal, heartbeatMs, maxLagBytes } = options;
  const match = createReadingMatcher(filter);
  for await (const entries of withHeartbeats(journal.read(place.at, signal), heartbeatMs)) {
    if (entries === undefined) yield { kind: 'heartbeat', resumeAt: place.at };
    const [first, last] = [entries?.[0], entries?.at(-1)];
    if (entries === undefined || first === undefined || last === undefined) continue;
    // Offsets also jump where a segment begins; only what was reclaimed in between is missed.
    if (place.at < journal.firstOffset && journal.firstOffset <= first.offset)
      yield { kind: 'gap', gap: reclaimed(place.at, first.offset), resumeAt: first.offset };
    const readings = entries.flatMap((entry) => matchEntry(entry, match));
    place.at = last.nextOffset;
    const isTooFar = lag(place, first.offset, journal.endOffset - place.at, maxLagBytes);
    for (const { live } of readings) place.behind?.newest.add(live);
    if (isTooFar) continue;
    // Before anything is sent, which may take its time: the client is at the present only now.
    place.listener = feed.join(filter, place.at);
    if (place.behind !== undefined) yield* newestOf(place.behind, place.at);
    else if (readings.length > 0) yield { kind: 'readings', readings, resumeAt: place.at };
    place.behind = undefined;
    if (place.listener !== undefined) return;
  }
}

/** What a client that is too slow is not sent one by one. */
interface Behind {
  /** Where it begins. */
  from: number;
  newest: NewestReadings;
}

/** Notes how far behind the client is; true while that is too far for it to be sent anything. */
function lag(place: Place, from: number, lagBytes: number, maxLagBytes: number): boolean {
  if (place.hasCaughtUp && lagBytes > maxLagBytes) place.behind ??= { from, newest: new NewestReadings() };
  place.hasCaughtUp ||= lagBytes <= maxLagBytes;
  return place.behind !== undefined && lagBytes > maxLagBytes * PRESENT_PART;
}

/** Cut off before the last of them, the client resumes before the gap, and gets all that the journal holds. */
function* newestOf({ newest, from }: Behind, to: number): Generator<LiveEvent> {
  const { skipped } = newest;
  if (skipped > 0) yield { kind: 'gap', gap: { reason: 'behind', from, to, skipped }, resumeAt: from };
  const sent = newest.readings();
  const readings = sent.map((live, index) => ({ live, resumeAt: index === sent.length - 1 ? to : from }));
  if (readings.length > 0) yield { kind: 'readings', readings, resumeAt: to };
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
