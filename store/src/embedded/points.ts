import { type FieldType, fieldTypes, type Point } from '@tidemark/core';
import type { PointsQuery } from '../engine.ts';
import { type Partition, timesOf } from './layout.ts';
import type { Reader } from './reader.ts';
import { MAX_TIME_NS, MIN_TIME_NS, valueTypes } from './schema.ts';
import type { Series } from './series.ts';

/** Most values of a page, and bytes of their text: what an answer holds in memory, however long it is. */
const PAGE_ROWS = 32_768;
const PAGE_BYTES = 4 * 2 ** 20;

/** Rows of one type: some series, some time. Both ends of the time are inclusive. */
interface Block {
  type: FieldType;
  series: readonly Series[];
  firstNs: bigint;
  lastNs: bigint;
}

/**
 * All points that match, page by page; each page is a query of its own, so that a slow reader keeps none waiting.
 * A range of partitions is cut by series, since they are sorted so, and one series by time, until a part fits a page.
 * The parts never overlap, and no point leaves its part: each comes once whatever compaction does meanwhile.
 */
export async function* scanPoints(reader: Reader, query: PointsQuery): AsyncGenerator<readonly Point[]> {
  const wanted = reader.series.selectFrom(query.measurements, query);
  for (const type of fieldTypes) {
    const series = wanted.filter((one) => one.type === type);
    if (series.length === 0) continue;
    for (const range of rangesOf(reader.layout.of(type).partitions, query))
      yield* scanBlock(reader, { type, series, ...range });
  }
}

async function* scanBlock(reader: Reader, whole: Block): AsyncGenerator<readonly Point[]> {
  const blocks = [whole];
  for (let block = blocks.pop(); block !== undefined; block = blocks.pop()) {
    const found = await measure(reader, block);
    if (found === undefined) continue;
    const parts = found.pages <= 1 ? [] : cut(found.block, Math.ceil(found.pages));
    if (parts.length > 1) blocks.push(...parts.reverse());
    else yield await readBlock(reader, found.block);
  }
}

/** The range asked for, cut at the ends of partitions: what lies between them is in arrival order. */
function* rangesOf(
  partitions: readonly Partition[],
  query: PointsQuery,
): Generator<Omit<Block, 'type' | 'series'>> {
  const endNs = query.toNs > MAX_TIME_NS ? MAX_TIME_NS : query.toNs - 1n;
  let firstNs = query.fromNs < MIN_TIME_NS ? MIN_TIME_NS : query.fromNs;
  const sorted = partitions.map(timesOf).sort((one, other) => (one.firstNs < other.firstNs ? -1 : 1));
  for (const partition of sorted) {
    if (partition.lastNs < firstNs || partition.firstNs > endNs) continue;
    if (partition.firstNs > firstNs) yield { firstNs, lastNs: partition.firstNs - 1n };
    const lastNs = partition.lastNs < endNs ? partition.lastNs : endNs;
    yield { firstNs: partition.firstNs > firstNs ? partition.firstNs : firstNs, lastNs };
    firstNs = lastNs + 1n;
  }
  if (firstNs <= endNs) yield { firstNs, lastNs: endNs };
}

/** The block without the time before and after its rows, and how many pages they fill; undefined for no rows. */
async function measure(reader: Reader, block: Block): Promise<{ block: Block; pages: number } | undefined> {
  const bytes = block.type === 'string' ? 'sum(strlen(value))' : '0';
  let found: { block: Block; pages: number } | undefined;
  await reader.read(
    sourceOf(block),
    ({ sql }) => ({ sql: `SELECT count(*), ${bytes}, min(time), max(time) FROM ${sql}` }),
    (columns) => {
      const [rows, size, firstNs, lastNs] = columns.map(([value]) => value);
      if (rows === 0n) return;
      const pages = Math.max(Number(rows) / PAGE_ROWS, Number(size) / PAGE_BYTES);
      found = { block: { ...block, firstNs: firstNs as bigint, lastNs: lastNs as bigint }, pages };
    },
  );
  return found;
}

/** Up to `parts` blocks that together are this one; itself when nothing is left to be cut. */
function cut(block: Block, parts: number): Block[] {
  const { series, firstNs, lastNs } = block;
  if (series.length > 1) {
    const size = Math.ceil(series.length / parts);
    const starts = Array.from({ length: Math.ceil(series.length / size) }, (_, index) => index * size);
    return starts.map((start) => ({ ...block, series: series.slice(start, start + size) }));
  }
  const lengthNs = (lastNs - firstNs) / BigInt(parts) + 1n;
  const blocks: Block[] = [];
  for (let startNs = firstNs; startNs <= lastNs; startNs += lengthNs) {
    const endNs = startNs + lengthNs - 1n;
    blocks.push({ ...block, firstNs: startNs, lastNs: endNs < lastNs ? endNs : lastNs });
  }
  return blocks;
}

async function readBlock(reader: Reader, block: Block): Promise<Point[]> {
  const { fromStore } = valueTypes[block.type];
  const points: Point[] = [];
  await reader.read(
    sourceOf(block),
    ({ sql }) => ({ sql: `SELECT series, time, value FROM ${sql}` }),
    ([ids = [], times = [], values = []]) => {
      for (let row = 0; row < ids.length; row++) {
        const { tagSet, field } = reader.series.byId(ids[row] as number);
        const { measurement, tags } = tagSet;
        const value = fromStore(values[row]!);
        points.push({ measurement, tags, fields: [[field, value]], timeNs: times[row] as bigint });
      }
    },
  );
  return points;
}

function sourceOf({ type, series, firstNs, lastNs }: Block) {
  return { type, wanted: series, fromNs: firstNs, toNs: lastNs + 1n };
}
