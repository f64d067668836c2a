import { status } from '@grpc/grpc-js';
import { Counter, Histogram, type Registry } from 'prom-client';

/** Which method, as both kinds of interceptors know it. */
interface Method {
  /** `/package.Service/Method`. */
  path: string;
  requestStream: boolean;
  responseStream: boolean;
}

/** The meters of one method, found once. */
export interface MethodMeters {
  started(): void;
  received(): void;
  sent(): void;
  /** How a call ended, and how long it took since it was started, in seconds. */
  handled(code: status, seconds: number): void;
}

const callLabels = ['grpc_service', 'grpc_method', 'grpc_type'] as const;
// From what one machine does in memory to a disk that is far behind.
const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * The counters and the histogram of one side, `grpc_server_*` or `grpc_client_*`, in a registry; asked again for the
 * same registry, those that are there. Answers the meters of a method.
 */
export function callMeters(registry: Registry, side: 'server' | 'client'): (method: Method) => MethodMeters {
  const counter = (name: string, help: string, ...more: string[]) => {
    const full = `grpc_${side}_${name}`;
    const existing = registry.getSingleMetric(full) as Counter | undefined;
    return (
      existing ??
      new Counter({ name: full, help, labelNames: [...callLabels, ...more], registers: [registry] })
    );
  };
  const started = counter('started_total', `Calls started on the ${side}`);
  const handled = counter('handled_total', `Calls ended on the ${side}, by their status`, 'grpc_code');
  const received = counter('msg_received_total', `Messages received on the ${side}`);
  const sent = counter('msg_sent_total', `Messages sent on the ${side}`);
  const histogramName = `grpc_${side}_handling_seconds`;
  const seconds =
    (registry.getSingleMetric(histogramName) as Histogram | undefined) ??
    new Histogram({
      name: histogramName,
      help: `Time from the start of a call to its end on the ${side}`,
      labelNames: [...callLabels],
      buckets,
      registers: [registry],
    });

  const known = new Map<string, MethodMeters>();
  return (method) => {
    const found = known.get(method.path);
    if (found) return found;
    const labels = labelsOf(method);
    const counters = {
      started: started.labels(labels),
      received: received.labels(labels),
      sent: sent.labels(labels),
    };
    const duration = seconds.labels(labels);
    const byCode = new Map<status, Counter.Internal>();
    const meters: MethodMeters = {
      started: () => counters.started.inc(),
      received: () => counters.received.inc(),
      sent: () => counters.sent.inc(),
      handled: (code, elapsed) => {
        const ended = byCode.get(code) ?? handled.labels({ ...labels, grpc_code: codeName(code) });
        byCode.set(code, ended);
        ended.inc();
        duration.observe(elapsed);
      },
    };
    // Told as 0 before the first call has ended, so that a rate over it has something to begin at.
    counters.started.inc(0);
    known.set(method.path, meters);
    return meters;
  };
}

function labelsOf({ path, requestStream, responseStream }: Method) {
  const [, service = '', name = ''] = path.split('/');
  return { grpc_service: service, grpc_method: name, grpc_type: typeOf(requestStream, responseStream) };
}

function typeOf(requestStream: boolean, responseStream: boolean): string {
  if (requestStream) return responseStream ? 'bidi_stream' : 'client_stream';
  return responseStream ? 'server_stream' : 'unary';
}

/** `InvalidArgument` for `INVALID_ARGUMENT`: the names that Go's and Python's interceptors use, and dashboards ask for. */
function codeName(code: status): string {
  const name = status[code] ?? 'UNKNOWN';
  if (code === status.OK) return name;
  if (code === status.CANCELLED) return 'Canceled';
  return name.toLowerCase().replace(/(?:^|_)(\w)/g, (_match, letter: string) => letter.toUpperCase());
}
