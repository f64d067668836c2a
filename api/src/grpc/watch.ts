import { TidemarkError } from '@tidemark/core';
import { type LiveEvent, liveEvents } from '../live/live-events.ts';
import type { LiveReading } from '../live/match-readings.ts';
import type { ApiParts } from '../parts.ts';
import type { WatchRequest, WatchResponse } from './generated/tidemark/v1/reading_service.ts';
import { toReadingFilter, toReadingMessage } from './reading-message.ts';

const heartbeatMs = 15_000;
// As for `GET /api/v1/live`, whose limits these are.
const maxLagBytes = 4 * 1024 * 1024;
const maxWatchers = 1000;
/** Clients take messages of 4 MiB unless told otherwise. */
const maxMessageReadings = 500;

/** Readings as they become durable, until the signal aborts; as `GET /api/v1/live`. */
export class Watchers {
  readonly #parts: ApiParts;
  #count = 0;

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  async *watch({ filter, resumeAt }: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchResponse> {
    if (this.#count >= maxWatchers)
      throw new TidemarkError('unavailable', `${maxWatchers} clients watch already`);
    const { journal } = this.#parts;
    const events = liveEvents({
      journal,
      filter: toReadingFilter(filter),
      resumeAt: resumeAt === undefined ? undefined : Number(resumeAt),
      signal,
      heartbeatMs,
      maxLagBytes,
    });
    this.#count += 1;
    try {
      for await (const event of events) yield* toResponses(event);
    } finally {
      this.#count -= 1;
    }
  }
}

function* toResponses(event: LiveEvent): Generator<WatchResponse> {
  const resumeAt = BigInt(event.resumeAt);
  switch (event.kind) {
    case 'readings':
      yield* readingResponses(event.readings);
      break;
    case 'gap': {
      const { reason, from, to, skipped } = event.gap;
      const gap = {
        reason,
        from: BigInt(from),
        to: BigInt(to),
        skipped: skipped === null ? undefined : BigInt(skipped),
      };
      yield { event: { $case: 'gap', value: gap }, resumeAt };
      break;
    }
    case 'heartbeat':
      yield { event: { $case: 'heartbeat', value: {} }, resumeAt };
  }
}

function* readingResponses(found: readonly LiveReading[]): Generator<WatchResponse> {
  for (let start = 0; start < found.length; start += maxMessageReadings) {
    const some = found.slice(start, start + maxMessageReadings);
    const readings = some.map(({ reading, isLate }) => ({ reading: toReadingMessage(reading), isLate }));
    yield { event: { $case: 'readings', value: { readings } }, resumeAt: BigInt(some.at(-1)!.resumeAt) };
  }
}
