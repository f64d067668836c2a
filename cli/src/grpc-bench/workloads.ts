/** One way of asking much of the platform. */
export interface Workload {
  name: string;
  what: string;
  kind: 'record' | 'stream' | 'list' | 'newest' | 'first' | 'last' | 'id';
  /** Callers at a time, and how many calls each makes, one after another. */
  workers: number;
  requests: number;
  /** What is counted: calls, or the readings in them. */
  unit: 'calls' | 'readings';
}

const workload = (
  kind: Workload['kind'],
  workers: number,
  requests: number,
  what: string,
  unit: Workload['unit'] = 'calls',
): Workload => ({ name: `${kind}-${workers}x${requests}`, what, kind, workers, requests, unit });

/** Those of the gRPC sensor store that this platform takes the place of, and two of its own: streams, and ids of many. */
export const workloads: readonly Workload[] = [
  workload('record', 100, 100, 'unary writes, 100 × 100'),
  workload('record', 1, 10_000, 'unary writes, 1 × 10 000'),
  workload('record', 10_000, 1, 'unary writes, 10 000 × 1'),
  workload('stream', 4, 1, 'streaming writes, 4 streams', 'readings'),
  workload('list', 10, 10, 'reads of 10 000 rows, 10 × 10', 'readings'),
  workload('newest', 100, 100, 'the newest 100, 100 × 100', 'readings'),
  workload('first', 100, 100, 'first, 100 × 100'),
  workload('last', 100, 100, 'last, 100 × 100'),
  workload('id', 100, 100, 'by id, 100 × 100'),
  workload('id', 10_000, 1, 'by id, 10 000 × 1'),
];
