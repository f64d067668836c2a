import { selectorKey } from './aggregates.ts';
import type { Call, CallScope } from './calls.ts';
import { typeOfReference } from './feed.ts';
import { directionOf } from './frame.ts';
import { type Relation, valueColumns } from './relation.ts';
import { withWindow } from './window.ts';

/** `min`, `max`, `first` or `last` with what is beside them; without windows, at the times of the points. */
export function selectorRelation(name: string, feed: Relation, { frame, context }: CallScope): Relation {
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

/** The nearest rank: InfluxDB's `floor(n * p / 100 + 0.5)`th of the sorted points; windows too small have none. */
export function percentileRelation(
  feed: Relation,
  percentile: number,
  isAlone: boolean,
  { frame, context }: CallScope,
): Relation {
  const hasOwnTime = frame.interval === undefined && isAlone;
  // Values alone are sorted much faster than points.
  const isBare = !hasOwnTime && feed.types.length === 1;
  const items = isBare ? 'list_sort(list(v0))' : `list(${pointOf(feed)} ORDER BY v0, t, o)`;
  const rank = `CAST(floor(count(*) * ${context.bindings.float(percentile)} / 100 + 0.5) AS BIGINT)`;
  const cells = isBare ? 'p AS v0' : valueColumns(feed.types, (column) => `p.${column}`);
  return {
    sql: `SELECT g, ${hasOwnTime ? 'p.t' : 'w'} AS t, 0::BIGINT AS o, ${cells} FROM (
      SELECT g, w, CASE WHEN r BETWEEN 1 AND n THEN items[r] END AS p FROM (
        SELECT g, w, count(*) AS n, ${rank} AS r, ${items} AS items
        FROM (${withWindow(feed.sql, frame, context)}) GROUP BY g, w)
      ) WHERE p IS NOT NULL`,
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
  { frame, context, beside }: CallScope,
): Relation {
  const size = call.args.at(-1)!;
  const direction = call.name === 'top' ? 'DESC' : 'ASC';
  const order = `ORDER BY v0 ${direction}, t, o`;
  const windowed = withWindow(feed.sql, frame, context);
  // What is told apart by tags keeps one point for each of their values.
  const tags = call.args.slice(1, -1).flatMap((arg) => {
    const index = beside.findIndex((reference) => arg.kind === 'reference' && reference.name === arg.name);
    return index < 0 ? [] : [`v${index + 1}`];
  });
  const apart =
    tags.length === 0
      ? windowed
      : `SELECT * FROM (${windowed}) QUALIFY row_number() OVER (PARTITION BY g, w, ${tags.join(', ')} ${order}) = 1`;
  const limit = context.bindings.integer(size.kind === 'integer' ? size.value : 0n);
  return {
    sql: `SELECT g, t, row_number() OVER (PARTITION BY g, t ${order}) AS o, ${valueColumns(feed.types, (column) => column)}
      FROM (SELECT * FROM (${apart}) QUALIFY row_number() OVER (PARTITION BY g, w ${order}) <= ${limit})`,
    types: [feed.types[0]!, ...beside.map(typeOfReference)],
    hasTies: true,
  };
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
