import { TidemarkError } from './errors.ts';
import type { Acceptor, Outcome, Submission } from './ports.ts';

/** How long an answer may wait for the disk; then the sender is told to come again. */
const MAX_HOLD_MS = 5000;

/**
 * Gives a submission to the acceptor; resolves with what became of it once that is durable. Throws what the acceptor
 * answers with, or `spool_full` (retryable) after 5 s.
 */
export async function submit(acceptor: Acceptor, submission: Submission): Promise<Outcome> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const outcome = acceptor.accept(submission, (error) => (error ? reject(error) : resolve()));
  const timer = setTimeout(() => {
    const options = { retryable: true, retryAfterMs: MAX_HOLD_MS };
    reject(new TidemarkError('spool_full', 'the readings could not be made durable in time', options));
  }, MAX_HOLD_MS);
  await promise.finally(() => clearTimeout(timer));
  return outcome;
}
