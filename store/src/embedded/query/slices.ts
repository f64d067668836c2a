import { walk } from '@tidemark/influxql';
import { earliestNs } from '../layout.ts';
import type { Series } from '../series.ts';
import { spanOfPoints } from '../spans.ts';
import { isPlain } from './calls.ts';
import type { PlanContext } from './context.ts';
import type { Frame } from './frame.ts';
import { type Member, selectMembers } from './members.ts';
import { Groups } from './relation.ts';
import type { ResolvedSelect } from './resolve.ts';

const GROWTH = 32n;

/** How many points of a range are wanted, of one of its ends. */
interface Page {
  points: number;
  from: 'first' | 'last';
}

/** What a select is after, where that is so many points of one group: a LIMIT of raw ones, or the `first` or `last` one. */
export function pageOf(select: ResolvedSelect): Page | undefined {
  const { isRaw, dimensions, interval, limit, offset, order, sources, fields } = select;
  if (dimensions.length > 0 || sources.length !== 1 || sources[0]!.kind !== 'measurement') return undefined;
  if (isRaw) {
    if (limit === 0 || offset !== 0) return undefined;
    return { points: limit, from: order === 'desc' ? 'last' : 'first' };
  }
  const [call] = fields.map(({ expression }) => expression);
  if (fields.length !== 1 || call?.kind !== 'call' || !isPlain(call) || interval !== undefined)
    return undefined;
  return call.name === 'first' || call.name === 'last' ? { points: 1, from: call.name } : undefined;
}

/**
 * Frames that are to be read one after another up to the points of a page: they are found at the end where it begins,
 * without a look at all the partitions. They grow, so that few points cost few slices. Another select has one, its own.
 */
export function* slicesOf(
  select: ResolvedSelect,
  page: Page | undefined,
  frame: Frame,
  context: PlanContext,
): Generator<Frame> {
  const { sources, filter } = select;
  const [source] = sources;
  if (page === undefined || source?.kind !== 'measurement') return yield frame;
  const { points, from } = page;
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
  let spanNs = spanOfPoints({ layout, index, wanted: most, points, firstNs, lastNs, from });
  for (let leftNs = lastNs - firstNs; leftNs >= spanNs; spanNs *= GROWTH) {
    leftNs -= spanNs;
    const cutNs = from === 'last' ? firstNs + leftNs : lastNs - leftNs;
    if (from === 'last') {
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
