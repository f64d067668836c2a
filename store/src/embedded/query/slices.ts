import { earliestNs } from '../layout.ts';
import type { PlanContext } from './context.ts';
import type { Frame } from './frame.ts';
import { selectMembers } from './members.ts';
import { Groups } from './relation.ts';
import type { ResolvedSelect } from './resolve.ts';

/** What a row stands for in the first slice: most sensors report each minute or more often. */
const ROW_NS = 60_000_000_000n;
const GROWTH = 32n;

/**
 * Frames that are to be read one after another up to the LIMIT: a page of raw points is found at the end where it begins,
 * without a look at all the partitions. They grow, so that few points cost few slices. Another select has one, its own.
 */
export function* slicesOf(select: ResolvedSelect, frame: Frame, context: PlanContext): Generator<Frame> {
  const { isRaw, dimensions, limit, offset, sources, filter } = select;
  const [source] = sources;
  const isOneGroup = dimensions.length === 0 && sources.length === 1 && source?.kind === 'measurement';
  if (!isRaw || !isOneGroup || limit === 0 || offset !== 0) return yield frame;
  const query = { driver: undefined, beside: [], filter, frame };
  const { members } = selectMembers([source.name], query, new Groups([]), context);
  let lastNs = frame.startNs;
  for (const { tagSet } of members) {
    for (const { lastTimeNs } of tagSet.series.values()) if (lastTimeNs > lastNs) lastNs = lastTimeNs;
  }
  const earliest = earliestNs(context.layout);
  const firstNs = frame.startNs > earliest ? frame.startNs : earliest;
  if (frame.endNs < lastNs) lastNs = frame.endNs;
  let rest = { ...frame, endNs: lastNs };
  let spanNs = BigInt(limit) * ROW_NS;
  for (let leftNs = lastNs - firstNs; leftNs >= spanNs; spanNs *= GROWTH) {
    leftNs -= spanNs;
    const cutNs = frame.isDescending ? firstNs + leftNs : lastNs - leftNs;
    if (frame.isDescending) {
      yield { ...rest, startNs: cutNs + 1n };
      rest = { ...rest, endNs: cutNs };
    } else {
      yield { ...rest, endNs: cutNs };
      rest = { ...rest, startNs: cutNs + 1n };
    }
  }
  yield rest;
}
