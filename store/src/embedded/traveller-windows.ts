import { gridOf, TravellerWindows, type WindowGrid } from '../traveller-windows.ts';
import type { TravellerWindowsQuery } from '../travellers.ts';
import type { Reader } from './reader.ts';
import type { Series } from './series.ts';
import { buildSource } from './source.ts';
import { idTable, type WantedTravellers, wantedTravellers } from './traveller-series.ts';

/**
 * Windows of travellers. Who is in a window has come in it, or was there as it began: the first position of a stay has
 * `elapsed_ns` 0, and the first one behind the start of a window says by it that its traveller was there before. So none
 * has to be compared with another, unless windows are longer than the silence that ends a stay.
 */
export async function queryTravellerWindows(
  reader: Reader,
  query: TravellerWindowsQuery,
): Promise<TravellerWindows> {
  const grid = gridOf(query);
  const windows = new TravellerWindows(grid, query);
  const wanted = wantedTravellers(reader.series, query);
  if (wanted.slots.length === 0 || query.fromNs >= query.toNs) return windows;
  const parts = { reader, query, grid, wanted, windows };
  await Promise.all([
    addSpeeds(parts),
    query.lengthNs > query.gapNs ? addDistinct(parts) : addPresence(parts),
  ]);
  return windows;
}

interface Parts {
  reader: Reader;
  query: TravellerWindowsQuery;
  grid: WindowGrid;
  wanted: WantedTravellers;
  windows: TravellerWindows;
}

async function addSpeeds({ reader, query, grid, wanted, windows }: Parts): Promise<void> {
  const slots = wanted.slots.filter(({ speed }) => speed?.type === 'float');
  if (slots.length === 0) return;
  const ids = idTable({
    id: slots.map(({ speed }) => speed!.id),
    grp: slots.map(({ group }) => group),
  });
  await reader.read(
    { type: 'float', wanted: slots.map(({ speed }) => speed!), ...rangeOf(query) },
    ({ sql }) => ({
      sql: `SELECT grp, bucket, CAST(sum(n) AS DOUBLE), sum(total), min(least), max(most) FROM (
          SELECT series, time // ${grid.bucketNs} AS bucket, count(*) AS n, sum(value) AS total,
            min(value) AS least, max(value) AS most
          FROM ${sql} GROUP BY series, bucket
        ) JOIN ${ids.sql} ON id = series GROUP BY grp, bucket`,
      parameters: ids.parameters,
    }),
    ([groups = [], buckets = [], counts = [], sums = [], least = [], most = []]) => {
      for (let row = 0; row < groups.length; row++) {
        const { sensor, type } = wanted.groups[groups[row] as number]!;
        windows.addSpeeds(sensor, type, buckets[row] as bigint, {
          count: counts[row] as number,
          sum: sums[row] as number,
          min: least[row] as number,
          max: most[row] as number,
        });
      }
    },
  );
}

async function addPresence({ reader, query, grid, wanted, windows }: Parts): Promise<void> {
  const ids = idTable({
    id: wanted.slots.map(({ elapsed }) => elapsed.id),
    grp: wanted.slots.map(({ group }) => group),
  });
  await reader.read(
    { type: 'float', wanted: elapsedSeries(wanted), ...rangeOf(query), toNs: query.toNs + query.gapNs },
    ({ sql }) => ({
      sql: `SELECT grp, first, last, CAST(sum(n) AS DOUBLE) FROM (
          SELECT series, ${presenceColumns(query, grid)}, count(*) AS n
          FROM ${sql} WHERE ${isPresence(query)} GROUP BY series, first, last
        ) JOIN ${ids.sql} ON id = series WHERE first <= last GROUP BY grp, first, last`,
      parameters: ids.parameters,
    }),
    ([groups = [], firsts = [], lasts = [], counts = []]) => {
      for (let row = 0; row < groups.length; row++) {
        const { sensor, type } = wanted.groups[groups[row] as number]!;
        const first = firsts[row] as bigint;
        const last = lasts[row] as bigint;
        const count = counts[row] as number;
        if (first === START) windows.addStarts(sensor, type, last, count);
        else windows.addPresent(sensor, type, first, last, count);
      }
    },
  );
}

/** A traveller may come twice to a window that is longer than the silence between: each is counted by its id. */
async function addDistinct({ reader, query, grid, wanted, windows }: Parts): Promise<void> {
  const slots = wanted.slots.filter(({ traveller }) => traveller?.type === 'string');
  const ids = idTable({
    id: slots.map(({ elapsed }) => elapsed.id),
    name: slots.map(({ traveller }) => traveller!.id),
    grp: slots.map(({ group }) => group),
  });
  const range = { ...rangeOf(query), toNs: query.toNs + query.gapNs };
  const { everyNs, lengthNs } = query;
  await reader.run(
    () => {
      const { layout, series } = reader;
      const found = buildSource(layout, series, {
        type: 'float',
        wanted: elapsedSeries(wanted),
        ...range,
        prefix: 'e',
      });
      const names = buildSource(layout, series, {
        type: 'string',
        wanted: slots.map(({ traveller }) => traveller!),
        ...range,
        prefix: 't',
      });
      if (found === undefined || names === undefined) return undefined;
      return {
        sql: `WITH here AS (
            SELECT series, time, ${presenceColumns(query, grid)} FROM ${found.sql} WHERE ${isPresence(query)}
          ), named AS (
            SELECT grp, names.value AS traveller,
              CASE WHEN first = ${START} THEN greatest((here.time - ${lengthNs}) // ${everyNs} + 1, ${grid.firstWindow}) ELSE first END AS first,
              CASE WHEN first = ${START} THEN here.time // ${everyNs} ELSE last END AS last
            FROM here JOIN ${ids.sql} ON id = series
              JOIN ${names.sql} AS names ON names.series = name AND names.time = here.time
          )
          SELECT grp, win, CAST(count(DISTINCT traveller) AS DOUBLE)
          FROM (SELECT grp, traveller, unnest(range(first, last + 1)) AS win FROM named WHERE first <= last)
          GROUP BY grp, win`,
        parameters: { ...ids.parameters, ...found.parameters, ...names.parameters },
      };
    },
    (chunk) => {
      const [groups = [], wins = [], counts = []] = chunk.getColumns();
      for (let row = 0; row < groups.length; row++) {
        const { sensor, type } = wanted.groups[groups[row] as number]!;
        const win = wins[row] as bigint;
        windows.addPresent(sensor, type, win, win, counts[row] as number);
      }
    },
  );
}

/** In place of the first window: the row is the first position of a stay, and its bucket stands as the last. */
const START = -1n;

/** The rows that tell who is there: the first of each stay, and those that are the first behind the start of a window. */
function isPresence({ fromNs, toNs, everyNs }: TravellerWindowsQuery): string {
  return `(value = 0 AND time < ${toNs}) OR (value > 0 AND (time % ${everyNs} < value OR CAST(value AS BIGINT) > time - ${fromNs}))`;
}

function presenceColumns({ fromNs, everyNs }: TravellerWindowsQuery, grid: WindowGrid): string {
  const before = 'time - CAST(value AS BIGINT)';
  return `CASE WHEN value = 0 THEN ${START} WHEN ${before} < ${fromNs} THEN ${grid.windowAtStart}
      ELSE (${before}) // ${everyNs} + 1 END AS first,
    CASE WHEN value = 0 THEN time // ${grid.bucketNs} ELSE least(time // ${everyNs}, ${grid.lastWindow}) END AS last`;
}

function elapsedSeries({ slots }: WantedTravellers): Series[] {
  return slots.map(({ elapsed }) => elapsed);
}

function rangeOf({ fromNs, toNs }: TravellerWindowsQuery): { fromNs: bigint; toNs: bigint } {
  return { fromNs, toNs };
}
