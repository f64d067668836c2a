import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { metricsOf } from '../oracle/metrics.ts';

const LOOK_EVERY_MS = 100;
/** The store has caught up when nothing waits longer than this. */
const CAUGHT_UP_S = 2;

interface Check {
  name: string;
  status: 'pass' | 'fail';
  message: string;
}

/** Most memory that a process has had resident so far, in bytes. */
export async function peakMemoryBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

/** How long ago the oldest reading was accepted that the store has not. */
export async function backlogAgeSeconds(httpUrl: string): Promise<number> {
  const metrics = await metricsOf(httpUrl);
  return metrics.get('tidemark_spool_backlog_age_seconds', { cursor: 'store' }) ?? Number.NaN;
}

/** Resolves with the store's message once `/health` says that it is in this state. */
export async function untilStoreIs(status: Check['status'], httpUrl: string): Promise<string> {
  for (;;) {
    const response = await fetch(`${httpUrl}/health`);
    const { checks } = (await response.json()) as { checks: Check[] };
    const store = checks.find(({ name }) => name === 'store')!;
    assert.equal(
      response.status === 200,
      checks.every((check) => check.status === 'pass'),
    );
    if (store.status === status) return store.message;
    await delay(LOOK_EVERY_MS);
  }
}

/** Asserts that the platform is ready for devices, and says that the store is out. */
export async function assertReadyWithoutStore(httpUrl: string): Promise<void> {
  const response = await fetch(`${httpUrl}/ready`);
  const { failed } = (await response.json()) as { failed: string[] };
  assert.deepEqual([response.status, failed], [200, ['store']]);
}

/** Asserts that each kind of query is answered by a problem that says what is wrong; resolves with the slowest, in ms. */
export async function assertQueriesTell(httpUrl: string, fault: RegExp): Promise<number> {
  const queries = ['latest?', 'readings?from=now-1h', 'windows?metric=value&from=now-1h&every=1m&fn=mean'];
  const tookMs = queries.map(async (query) => {
    const startedMs = performance.now();
    const response = await fetch(`${httpUrl}/api/v1/${query}`);
    const problem = (await response.json()) as { code: string; detail: string };
    assert.equal(response.status, 503, `${query} is answered by ${response.status}`);
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    assert.equal(problem.code, 'store_unavailable');
    assert.match(problem.detail, fault);
    return performance.now() - startedMs;
  });
  return Math.max(...(await Promise.all(tookMs)));
}

/** Waits until the store has what was accepted; from the first batch it took on, points a second, new ones included. */
export async function measureDrain(
  httpUrl: string,
): Promise<{ untilFirstMs: number; seconds: number; pointsPerSecond: number }> {
  const storedPoints = async () => (await metricsOf(httpUrl)).sum('tidemark_store_points_total');
  const calledMs = performance.now();
  const before = await storedPoints();
  let startedMs = performance.now();
  while ((await storedPoints()) === before) {
    await delay(LOOK_EVERY_MS);
    startedMs = performance.now();
  }
  while ((await backlogAgeSeconds(httpUrl)) > CAUGHT_UP_S) await delay(LOOK_EVERY_MS);
  const seconds = (performance.now() - startedMs) / 1000;
  const pointsPerSecond = ((await storedPoints()) - before) / seconds;
  return { untilFirstMs: startedMs - calledMs, seconds, pointsPerSecond };
}
