import { selectorKey, selectorOrder } from './aggregates.ts';
import type { Call, CallScope } from './calls.ts';
import { typeOfReference } from './feed.ts';
import { directionOf } from './frame.ts';
import { type Relation, valueColumns } from './relation.ts';
import { numberedWindows, withWindow } from './window.ts';

/** DuckDB takes memory for all of them beforehand, in each window. */
const MAX_HEAP_POINTS = 100n;

/** `min`, `max`, `first` or `last` with what is beside them; without windows, at the times of the points. */
export function selectorRelation(
  name: string,
  feed: Relation,
  { frame, context, groups }: CallScope,
): Relation {
  if (frame.interval === undefined && groups.list.length === 1) {
    return { sql: firstBy(selectorOrder(name), 1n, feed), types: feed.types, hasTies: false };
  }
  const { pick, key } = selectorKey(name);
  const time = frame.interval === undefined ? 'p.t' : 'w';
  return {
    sql: `SELECT g, ${time} AS t, 0::BIGINT AS o, ${valueColumns(feed.types, (column) => `p.${column}`)}
      FROM (SELECT g, w, ${pick}(${pointOf(feed)}, ${key}) AS p
        FROM (${withWindow(feed.sql, frame, context)}) GROUP BY g, w)`,
    types: feed.types,
    hasTies: false,
  };
}

/**
 * The nearest rank: InfluxDB's `floor(n * p / 100 + 0.5)`th of the sorted points; windows too small have none. Of many
 * points, different values are counted, since lists of all would take more memory than there is.
 */
export function percentileRelation(
  feed: Relation,
  percentile: number,
  isAlone: boolean,
  { frame, context }: CallScope,
): Relation {
  const hasOwnTime = frame.interval === undefined && isAlone;
  const { sql, start } = numberedWindows(feed.sql, feed.shortcuts, frame, context);
  const rankIn = (total: string): string =>
    `CAST(floor(${total} * ${context.bindings.float(percentile)} / 100 + 0.5) AS BIGINT)`;
  const isBare = !hasOwnTime && feed.types.length === 1;
  if (isBare && feed.shortcuts?.isFew === true) {
    return {
      sql: `SELECT g, ${start} AS t, 0::BIGINT AS o, list_sort(points)[nth] AS v0
        FROM (SELECT g, w, list(v0) AS points, ${rankIn('count(*)')} AS nth FROM (${sql}) GROUP BY g, w)
        WHERE nth BETWEEN 1 AND len(points)`,
      types: feed.types,
      hasTies: false,
    };
  }
  const rank = rankIn('total');
  // Of the points of that value, the one in place `nth` has the rank.
  const rankedOf = (
    points: string,
  ): string => `SELECT g, w, arg_min({v0: v0, nth: ${rank} - upto + n}, upto) AS ranked FROM (
    SELECT *, sum(n) OVER (PARTITION BY g, w ORDER BY v0) AS upto, sum(n) OVER (PARTITION BY g, w) AS total
    FROM (SELECT g, w, v0, count(*) AS n FROM ${points} GROUP BY g, w, v0)
  ) WHERE ${rank} BETWEEN 1 AND upto GROUP BY g, w`;
  return {
    sql: isBare
      ? `SELECT g, ${start} AS t, 0::BIGINT AS o, ranked.v0 AS v0 FROM (${rankedOf(`(${sql})`)})`
      : `WITH points AS MATERIALIZED (${sql})
        SELECT g, ${hasOwnTime ? 't' : start} AS t, 0::BIGINT AS o, ${valueColumns(feed.types, (column) => column)}
        FROM points JOIN (${rankedOf('points')}) USING (g, w) WHERE v0 = ranked.v0
        QUALIFY row_number() OVER (PARTITION BY g, w ORDER BY t, o) = ranked.nth`,
    types: feed.types,
    hasTies: false,
  };
}

/** Some of the points of each window, at random. */
export function sampleRelation(feed: Relation, size: number, { frame, context }: CallScope): Relation {
  return {
    sql: `SELECT * EXCLUDE (w) FROM (${withWindow(feed.sql, frame, context)})
      QUALIFY row_number() OVER (PARTITION BY g, w ORDER BY random()) <= ${context.bindings.integer(BigInt(size))}`,
    types: feed.types,
    hasTies: feed.hasTies,
  };
}

/** `top` and `bottom`: the points with the most extreme values of each window; with tags, of each tag's extremes. */
export function extremesRelation(
  call: Call,
  feed: Relation,
  { frame, context, beside, groups }: CallScope,
): Relation {
  const last = call.args.at(-1)!;
  const size = last.kind === 'integer' ? last.value : 0n;
  const isTop = call.name === 'top';
  const order = `v0 ${isTop ? 'DESC' : 'ASC'}, t, o`;
  const windowed = withWindow(feed.sql, frame, context);
  // What is told apart by tags keeps one point for each of their values.
  const tags = call.args.slice(1, -1).flatMap((arg) => {
    const index = beside.findIndex((reference) => arg.kind === 'reference' && reference.name === arg.name);
    return index < 0 ? [] : [`v${index + 1}`];
  });
  const apart =
    tags.length === 0
      ? windowed
      : `SELECT * FROM (${windowed})
          QUALIFY row_number() OVER (PARTITION BY g, w, ${tags.join(', ')} ORDER BY ${order}) = 1`;
  const points = { ...feed, sql: apart };
  const isOneWindow = frame.interval === undefined && groups.list.length === 1;
  return {
    sql: `SELECT g, t, row_number() OVER (PARTITION BY g, t ORDER BY ${order}) AS o, ${valueColumns(feed.types, (column) => column)}
      FROM (${isOneWindow ? firstBy(order, size, points) : extremesByWindow(isTop, order, size, points)})`,
    types: [feed.types[0]!, ...beside.map(typeOfReference)],
    hasTies: true,
  };
}

function extremesByWindow(isTop: boolean, order: string, size: bigint, points: Relation): string {
  if (size > MAX_HEAP_POINTS) {
    return `SELECT * FROM (${points.sql}) QUALIFY row_number() OVER (PARTITION BY g, w ORDER BY ${order}) <= ${size}`;
  }
  const [pick, sign] = isTop ? ['max', '-'] : ['min', ''];
  const columns = points.types.map((_, index) => `v${index}: v${index}`);
  return `SELECT g, ${sign}p.t AS t, ${sign}p.o AS o, ${valueColumns(points.types, (column) => `p.${column}`)}
    FROM (SELECT g, unnest(${pick}({v: v0, t: ${sign}t, o: ${sign}o, ${columns.join(', ')}}, ${size})) AS p
      FROM (${points.sql}) GROUP BY g, w)`;
}

/** So many points of the only window, the first in an order. */
function firstBy(order: string, size: bigint, { sql, types }: Relation): string {
  return `SELECT g, t, o, ${valueColumns(types, (column) => column)} FROM (${sql}) ORDER BY ${order} LIMIT ${size}`;
}

/** The different values of each window, in the order in which they came. */
export function distinctRelation(feed: Relation, { frame, context }: CallScope): Relation {
  const direction = directionOf(frame);
  const first = frame.isDescending ? 'max(t)' : 'min(t)';
  return {
    sql: `SELECT g, w AS t, row_number() OVER (PARTITION BY g, w ORDER BY came ${direction}, v0) AS o, v0
      FROM (SELECT g, w, v0, ${first} AS came FROM (${withWindow(feed.sql, frame, context)}) GROUP BY g, w, v0)`,
    types: [feed.types[0]!],
    hasTies: true,
  };
}

/** A point with its time and all that is beside it. */
function pointOf({ types }: Relation): string {
  return `{t: t, ${types.map((_, index) => `v${index}: v${index}`).join(', ')}}`;
}
