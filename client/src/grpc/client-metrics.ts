import { InterceptingCall, type Interceptor } from '@grpc/grpc-js';
import type { Registry } from 'prom-client';
import { callMeters } from './call-meters.ts';

/**
 * Counts and times every call that a client makes, as `grpc_client_started_total`, `grpc_client_handled_total`,
 * `grpc_client_msg_received_total`, `grpc_client_msg_sent_total` and `grpc_client_handling_seconds`:
 * `new SomeServiceClient(address, credentials, { interceptors: [clientMetrics(registry)] })`.
 */
export function clientMetrics(registry: Registry): Interceptor {
  const metersOf = callMeters(registry, 'client');
  return (options, nextCall) => {
    const { path, requestStream, responseStream } = options.method_definition;
    const meters = metersOf({ path, requestStream, responseStream });
    const startedMs = performance.now();
    meters.started();
    return new InterceptingCall(nextCall(options), {
      start: (metadata, _listener, next) =>
        next(metadata, {
          onReceiveMessage: (message, pass) => {
            // A unary call that fails is told of an answer that is null.
            if (message !== null) meters.received();
            pass(message);
          },
          onReceiveStatus: (status, pass) => {
            meters.handled(status.code, (performance.now() - startedMs) / 1000);
            pass(status);
          },
        }),
      sendMessage: (message, next) => {
        meters.sent();
        next(message);
      },
    });
  };
}
