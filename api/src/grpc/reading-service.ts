import { Metadata } from '@grpc/grpc-js';
import type { Freshness } from '@tidemark/core';
import type { ApiParts } from '../parts.ts';
import type { CallContext, Calls } from './calls.ts';
import { type ReadingServiceServer, ReadingServiceService } from './generated/tidemark/v1/reading_service.ts';
import { encodeList, Lists } from './list.ts';
import { record, recordStream } from './record.ts';
import { watch } from './watch.ts';
import { windows } from './windows.ts';

const flushTimeoutMs = 250;

/** How `tidemark.v1.ReadingService` is served. */
export const readingServiceDefinition = {
  ...ReadingServiceService,
  list: { ...ReadingServiceService.list, responseSerialize: encodeList },
};

/** `tidemark.v1.ReadingService`. */
export function readingService(parts: ApiParts, calls: Calls): ReadingServiceServer {
  const lists = new Lists(parts);
  return {
    record: calls.unary((request) => record(parts, request)),
    recordStream: recordStream(parts, calls),
    list: calls.unary(fresh(parts, (request) => lists.list(request))),
    listStream: calls.serverStream((request) => lists.stream(request)),
    windows: calls.unary(fresh(parts, (request) => windows(parts, request))),
    watch: calls.serverStream((request, signal) => watch(request, parts, signal)),
  };
}

/** A query sees what was acknowledged before it, or says in the trailer `tidemark-lag-ms` how far behind it is. */
function fresh<Request, Response>(
  { freshness }: { freshness: Freshness },
  handle: (request: Request) => Promise<Response>,
) {
  return async (request: Request, context: CallContext): Promise<Response> => {
    const lagMs = await freshness.flush(flushTimeoutMs);
    if (lagMs > 0) {
      context.trailers = new Metadata();
      context.trailers.set('tidemark-lag-ms', String(Math.ceil(lagMs)));
    }
    return handle(request);
  };
}
