import type { FieldType, Tag } from '@tidemark/core';
import type { Database } from './database.ts';
import { type ArrivalTable, type CatalogRow, emptyTable, Layout } from './layout.ts';
import { lastTable, quote, type TableKind, valueTypes } from './schema.ts';
import { SeriesIndex, type TagSet } from './series.ts';
import { readExtent } from './sums.ts';

/** Reads which tables there are, and how full the ones in arrival order are. */
export async function loadLayout(database: Database): Promise<Layout> {
  const layout = new Layout();
  const rows = await database.write(
    `SELECT name, kind, type, generation, start_day, width_days, rows, sorted_rows, runs
     FROM tables ORDER BY generation`,
  );
  for (let index = 0; index < (rows[0]?.length ?? 0); index++) {
    const number = (column: number) => Number(rows[column]![index]);
    layout.add({
      name: rows[0]![index] as string,
      kind: rows[1]![index] as TableKind,
      type: rows[2]![index] as FieldType,
      generation: number(3),
      startDay: number(4),
      widthDays: number(5),
      rows: number(6),
      sortedRows: number(7),
      runs: number(8),
      sums: undefined,
    } satisfies CatalogRow);
  }
  for (const { hot, late, partitions } of layout.types.values()) {
    for (const table of [...hot, ...late]) Object.assign(table, await measure(database, table));
    for (const { sums } of partitions) {
      if (sums !== undefined) Object.assign(sums, await readExtent((sql) => database.write(sql), sums));
    }
  }
  return layout;
}

/**
 * Reads all series with their newest points: as of the last compaction, then what the hot tables hold
 * (always newer), then late rows that replace a newest point.
 */
export async function loadSeries(database: Database, layout: Layout): Promise<SeriesIndex> {
  const index = new SeriesIndex();
  const [measurements = [], fields = [], types = []] = await database.write(kindsSql);
  let tagSet: TagSet | undefined;
  await database.read(seriesSql, {}, (chunk) => {
    const [texts = []] = chunk.getColumns();
    for (const text of texts) {
      for (const [id, kind, tags] of JSON.parse(text as string) as SeriesRow[]) {
        const measurement = measurements[kind] as string;
        if (tags !== null || tagSet?.measurement !== measurement)
          tagSet = index.tagSetOf({ measurement, tags: tags ?? tagSet!.tags });
        index.add(tagSet, fields[kind] as string, types[kind] as FieldType, id);
      }
    }
  });
  for (const [type, { hot, late }] of layout.types) {
    await loadNewest(database, index, type, `SELECT series, time, value FROM ${quote(lastTable(type))}`);
    for (const { name, rows } of hot) {
      if (rows > 0) await loadNewest(database, index, type, newestSql(name, 'time'));
    }
    for (const { name, rows } of late) {
      if (rows > 0) await loadNewest(database, index, type, newestSql(name, '(time, rowid)'));
    }
  }
  return index;
}

/** Id, place among the kinds, tags; null for those of the row before. */
type SeriesRow = [id: number, kind: number, tags: Tag[] | null];

const kindOrder = 'ORDER BY measurement, field, type';
const kindsSql = `SELECT DISTINCT measurement, field, type FROM series ${kindOrder}`;

// Few, large texts of JSON: with a million series a value for each of them costs more than all the rest.
const seriesSql = `
  WITH kinds AS (
    SELECT measurement, field, type, row_number() OVER (${kindOrder}) - 1 AS kind FROM (${kindsSql})
  ), rows AS (
    SELECT id, format('[{},{},{}]', id, kind,
      CASE WHEN tags = lag(tags) OVER (ORDER BY id) THEN 'null' ELSE tags END) AS row
    FROM series JOIN kinds USING (measurement, field, type)
  )
  SELECT '[' || string_agg(row, ',' ORDER BY id) || ']' FROM rows GROUP BY id // 4096 ORDER BY id // 4096`;

function newestSql(name: string, order: string): string {
  return `SELECT series, max(time), arg_max(value, ${order}) FROM ${quote(name)} GROUP BY series`;
}

async function loadNewest(
  database: Database,
  index: SeriesIndex,
  type: FieldType,
  sql: string,
): Promise<void> {
  await database.read(sql, {}, (chunk) => {
    const [ids = [], times = [], values = []] = chunk.getColumns();
    for (let row = 0; row < ids.length; row++)
      index.newest.offer(ids[row] as number, times[row] as bigint, valueTypes[type].fromStore(values[row]!));
  });
}

async function measure(database: Database, { name, generation }: ArrivalTable): Promise<ArrivalTable> {
  const columns = await database.write(`SELECT count(*), min(time), max(time) FROM ${quote(name)}`);
  const [rows, minNs, maxNs] = columns.map((column) => column[0]);
  const empty = emptyTable(name, generation);
  if (rows === 0n) return empty;
  return { ...empty, rows: Number(rows), minNs: minNs as bigint, maxNs: maxNs as bigint };
}
