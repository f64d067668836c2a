import { type ServiceStatus, TidemarkError } from '@tidemark/core';
import type { ApiParts } from '../parts.ts';
import type { Calls } from './calls.ts';
import type {
  HeartbeatServiceServer,
  WatchServicesRequest,
  WatchServicesResponse,
} from './generated/tidemark/v1/heartbeat_service.ts';

/** `tidemark.v1.HeartbeatService`. */
export function heartbeatService(parts: ApiParts, calls: Calls): HeartbeatServiceServer {
  const { heartbeats } = parts;
  return {
    beat: calls.unary(async ({ service, latencyMs, timeoutMs }) => ({
      timeNs: await heartbeats.beat({
        service,
        latencyMs,
        timeoutMs: timeoutMs === undefined ? undefined : Number(timeoutMs),
      }),
    })),
    forget: calls.unary(({ service }) => {
      if (!heartbeats.forget(service))
        throw new TidemarkError('not_found', `no service ${service} sends heartbeats`);
      return {};
    }),
    watch: calls.serverStream((request, signal) => watch(parts, request, signal)),
  };
}

/** Every service as it is, then each change; of a client that is slow, the newest state of each service waits. */
async function* watch(
  { heartbeats }: ApiParts,
  { services }: WatchServicesRequest,
  signal: AbortSignal,
): AsyncGenerator<WatchServicesResponse> {
  const isAsked = ({ service }: ServiceStatus) => services.length === 0 || services.includes(service);
  const waiting = new Map<string, ServiceStatus>();
  let wake = () => {};
  const put = (status: ServiceStatus) => {
    if (isAsked(status)) waiting.set(status.service, status);
    wake();
  };
  const unwatch = heartbeats.watch(put);
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (const status of heartbeats.services()) put(status);
    while (!signal.aborted) {
      const [next] = waiting.values();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      waiting.delete(next.service);
      yield { status: next };
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    unwatch();
  }
}
