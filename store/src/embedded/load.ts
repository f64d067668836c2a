import type { FieldType, Tag } from '@tidemark/core';
import type { Database } from './database.ts';
import { type ArrivalTable, type CatalogRow, emptyTable, Layout } from './layout.ts';
import { lastTable, quote, type TableKind, valueTypes } from './schema.ts';
import { SeriesIndex } from './series.ts';

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
    } satisfies CatalogRow);
  }
  for (const { hot, late } of layout.types.values()) {
    for (const table of [...hot, ...late]) Object.assign(table, await measure(database, table));
  }
  return layout;
}

/**
 * Reads all series with their newest points: as of the last compaction, then what the hot tables hold
 * (always newer), then late rows that replace a newest point.
 */
export async function loadSeries(database: Database, layout: Layout): Promise<SeriesIndex> {
  const index = new SeriesIndex();
  const [ids, measurements, tags, fields, types] = await database.write(
    'SELECT id, measurement, tags, field, type FROM series ORDER BY id',
  );
  for (let row = 0; row < (ids?.length ?? 0); row++) {
    const tagPairs = JSON.parse(tags![row] as string) as Tag[];
    const point = { measurement: measurements![row] as string, tags: tagPairs, fields: [], timeNs: 0n };
    const tagSet = index.tagSetOf(point);
    index.add(tagSet, fields![row] as string, types![row] as FieldType, ids![row] as number);
  }
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

function newestSql(name: string, order: string): string {
  return `SELECT series, max(time), arg_max(value, ${order}) FROM ${quote(name)} GROUP BY series`;
}

async function loadNewest(
  database: Database,
  index: SeriesIndex,
  type: FieldType,
  sql: string,
): Promise<void> {
  const [ids, times, values] = await database.write(sql);
  for (let row = 0; row < (ids?.length ?? 0); row++) {
    const series = index.byId(ids![row] as number);
    const timeNs = times![row] as bigint;
    if (timeNs < series.lastTimeNs) continue;
    series.lastTimeNs = timeNs;
    series.lastValue = valueTypes[type].fromStore(values![row]!);
  }
}

async function measure(database: Database, { name, generation }: ArrivalTable): Promise<ArrivalTable> {
  const columns = await database.write(`SELECT count(*), min(time), max(time) FROM ${quote(name)}`);
  const [rows, minNs, maxNs] = columns.map((column) => column[0]);
  const empty = emptyTable(name, generation);
  if (rows === 0n) return empty;
  return { ...empty, rows: Number(rows), minNs: minNs as bigint, maxNs: maxNs as bigint };
}
