import type { LiveEvent } from '../live/live-events.ts';
import type { SentReading } from '../live/match-readings.ts';
import type { ApiParts } from '../parts.ts';
import type { WatchRequest, WatchResponse } from './generated/tidemark/v1/reading_service.ts';
import { toReadingFilter, toReadingMessage } from './reading-message.ts';

/** Clients take messages of 4 MiB unless told otherwise. */
const maxMessageReadings = 500;

/** Readings as they become durable, until the signal aborts; as `GET /api/v1/live`. */
export async function* watch(
  { filter, resumeAt }: WatchRequest,
  { live }: Pick<ApiParts, 'live'>,
  signal: AbortSignal,
): AsyncGenerator<WatchResponse> {
  const { events, close } = live.open({
    filter: toReadingFilter(filter),
    resumeAt: resumeAt === undefined ? undefined : Number(resumeAt),
    stopping: signal,
  });
  try {
    for await (const event of events) yield* toResponses(event);
  } finally {
    close();
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

function* readingResponses(found: readonly SentReading[]): Generator<WatchResponse> {
  for (let start = 0; start < found.length; start += maxMessageReadings) {
    const some = found.slice(start, start + maxMessageReadings);
    const readings = some.map(({ live: { reading, isLate } }) => ({
      reading: toReadingMessage(reading),
      isLate,
    }));
    yield { event: { $case: 'readings', value: { readings } }, resumeAt: BigInt(some.at(-1)!.resumeAt) };
  }
}
