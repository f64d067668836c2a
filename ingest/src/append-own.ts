import { type Clock, encodeSeriesKey, type Point } from '@tidemark/core';
import { encodePoints } from './spool/entry.ts';
import { recordKinds } from './spool/record.ts';
import type { Spool } from './spool/spool.ts';

/**
 * Writes the platform's own points into the log, from where they go the way of every point. Resolves when they are
 * durable; on a disk that takes nothing that is never. Rejects with a retryable `spool_full` or `spool_failed`.
 */
export async function appendOwn(
  { spool, clock }: { spool: Spool; clock: Clock },
  points: readonly Point[],
): Promise<void> {
  const refusal = spool.refusal();
  if (refusal) throw refusal;
  const text = encodePoints(points, ({ measurement, tags }) => encodeSeriesKey(measurement, tags));
  await new Promise<void>((resolve) => {
    spool.append(recordKinds.points, clock.nowNs(), text, points, (error) => {
      if (!error) resolve();
    });
  });
}
