import {
  type Beat,
  type Issue,
  idProblem,
  type Point,
  type ServiceStatus,
  TidemarkError,
} from '@tidemark/core';

const MIN_TIMEOUT_MS = 1000;
const MAX_TIMEOUT_MS = 30 * 24 * 3600 * 1000;

/** A service that is watched. */
export interface Service extends ServiceStatus {
  /** On the monotonic clock. */
  lastSeenMs: number;
  timeoutMs: number;
  failures: number;
  /** False until its state is known, and whenever its alert has yet to follow it. */
  isTold: boolean;
  /** Its newest point. */
  written: { isUp: boolean; atMs: number };
}

/** Throws `bad_request` that names every field at fault. */
export function checkBeat({ service, latencyMs, timeoutMs }: Beat): void {
  const issues: Issue[] = [];
  const problem = idProblem(service);
  if (problem !== undefined) issues.push({ path: 'service', message: problem });
  if (latencyMs !== undefined && !(latencyMs >= 0 && Number.isFinite(latencyMs)))
    issues.push({ path: 'latency_ms', message: 'must be a number from 0 on' });
  if (timeoutMs !== undefined && !(timeoutMs >= MIN_TIMEOUT_MS && timeoutMs <= MAX_TIMEOUT_MS))
    issues.push({ path: 'timeout_ms', message: `must be from ${MIN_TIMEOUT_MS} to ${MAX_TIMEOUT_MS}` });
  if (issues.length === 0) return;
  const message = issues.map((issue) => `${issue.path}: ${issue.message}`).join('; ');
  throw new TidemarkError('bad_request', message, { issues });
}

/** The point that a state is stored as. */
export function pointOf(
  { service, isUp, latencyMs }: Pick<ServiceStatus, 'service' | 'isUp' | 'latencyMs'>,
  timeNs: bigint,
): Point {
  return {
    measurement: 'heartbeats',
    tags: [['service', service]],
    fields: [...(latencyMs === undefined ? [] : [['latency_ms', latencyMs] as const]), ['up', Number(isUp)]],
    timeNs,
  };
}

/** What others are told of a service. */
export function statusOf({
  service,
  kind,
  isUp,
  sinceNs,
  lastSeenNs,
  latencyMs,
  message,
}: Service): ServiceStatus {
  return { service, kind, isUp, sinceNs, lastSeenNs, latencyMs, message };
}
