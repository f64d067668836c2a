import { ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import type { Registry } from 'prom-client';
import { callMeters } from './call-meters.ts';

/**
 * Counts and times every call that a server takes, as `grpc_server_started_total`, `grpc_server_handled_total`,
 * `grpc_server_msg_received_total`, `grpc_server_msg_sent_total` and `grpc_server_handling_seconds`:
 * `new Server({ interceptors: [serverMetrics(registry)] })`.
 */
export function serverMetrics(registry: Registry): ServerInterceptor {
  const metersOf = callMeters(registry, 'server');
  return (method, call) => {
    const meters = metersOf(method);
    const startedMs = performance.now();
    let hasEnded = false;
    const end = (code: status): void => {
      // A call that was cancelled is answered all the same, and nobody hears it.
      if (hasEnded) return;
      hasEnded = true;
      meters.handled(code, (performance.now() - startedMs) / 1000);
    };
    meters.started();
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMessage: (message, pass) => {
            meters.received();
            pass(message);
          },
          onCancel: () => end(isPast(call.getDeadline()) ? status.DEADLINE_EXCEEDED : status.CANCELLED),
        }),
      sendMessage: (message, next) => {
        meters.sent();
        next(message);
      },
      sendStatus: (sent, next) => {
        end(sent.code ?? status.UNKNOWN);
        next(sent);
      },
    });
  };
}

function isPast(deadline: Date | number): boolean {
  return Number(deadline) <= Date.now();
}
