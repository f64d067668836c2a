import { setTimeout as delay } from 'node:timers/promises';
import type { Outage } from '../outage.ts';

const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 30_000;
/** What held for so long was good: the next try comes soon after it. */
const STEADY_MS = 10_000;

/**
 * Connects again and again until the signal aborts: `session` is one connection from its beginning to its end, and
 * answers or throws what ended it. The pause between two doubles, from 250 ms to 30 s.
 */
export async function keepTrying(
  session: () => Promise<unknown>,
  { outage, signal }: { outage: Outage; signal: AbortSignal },
): Promise<void> {
  let retryMs = FIRST_RETRY_MS;
  while (!signal.aborted) {
    const startedMs = performance.now();
    const fault = await session().catch((error: unknown) => error);
    if (signal.aborted) return;
    outage.failed(fault);
    if (performance.now() - startedMs > STEADY_MS) retryMs = FIRST_RETRY_MS;
    // Not all replicas at once when what they connect to is back.
    await delay(retryMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
    retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
  }
}
