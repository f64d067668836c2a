import { walk } from '@tidemark/influxql';
import { earliestNs } from '../layout.ts';
import type { Series } from '../series.ts';
import { spanOfPoints } from '../spans.ts';
import type { PlanContext } from './context.ts';
import type { Frame } from './frame.ts';
import { type Member, selectMembers } from './members.ts';
import { Groups } from './relation.ts';
import type { ResolvedSelect } from './resolve.ts';

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
  const wanted = driversOf(select, members);
  let lastNs = frame.startNs;
  for (const { lastTimeNs } of wanted.flat()) if (lastTimeNs > lastNs) lastNs = lastTimeNs;
  const earliest = earliestNs(context.layout);
  const firstNs = frame.startNs > earliest ? frame.startNs : earliest;
  if (frame.endNs < lastNs) lastNs = frame.endNs;
  let rest = { ...frame, endNs: lastNs };
  const [most = []] = wanted.toSorted((a, b) => b.length - a.length);
  const { layout, index } = context;
  const from = frame.isDescending ? 'last' : 'first';
  let spanNs = spanOfPoints({ layout, index, wanted: most, points: limit, firstNs, lastNs, from });
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

/** For each name that the select has columns of, the series of its fields. */
function driversOf({ fields }: ResolvedSelect, members: readonly Member[]): Series[][] {
  const names = new Set<string>();
  for (const { expression } of fields) {
    walk(expression, (node) => {
      if (node.kind === 'reference') names.add(node.name);
      return true;
    });
  }
  return [...names].map((name) => members.flatMap(({ tagSet }) => tagSet.series.get(name) ?? []));
}
