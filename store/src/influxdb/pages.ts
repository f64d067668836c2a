import {
  type Field,
  type FieldType,
  type FieldValue,
  type Point,
  type Tag,
  TidemarkError,
  Uint64,
} from '@tidemark/core';
import { timeOf } from './cells.ts';
import type { Connection } from './connection.ts';
import { quoteName, type TimeRange, timeCondition } from './influxql.ts';

/** Fields and tags of one measurement; names as InfluxDB has them. */
export interface Columns {
  measurement: string;
  fields: readonly { field: string; type: FieldType }[];
  tags: readonly string[];
}

/** Cells of a page, and most rows of one. */
const pageCells = 200_000;
const pageRows = 10_000;
/** Most rows of one time. */
const maxRows = 1_000_000;

/**
 * The points of a measurement in order of time. The time at a page's end is taken as a whole, since no order is known
 * within it.
 */
export async function* pagesOf(
  connection: Connection,
  columns: Columns,
  { conditions, toNs, ...range }: TimeRange & { conditions: readonly string[] },
): AsyncGenerator<Point[]> {
  const width = columns.fields.length + columns.tags.length;
  const limit = Math.max(1, Math.min(pageRows, Math.floor(pageCells / width)));
  let { fromNs } = range;
  while (fromNs < toNs) {
    const page = await select(connection, columns, conditions, { fromNs, toNs, limit });
    const lastNs = page.at(-1)?.timeNs;
    if (lastNs === undefined || page.length < limit) {
      if (page.length > 0) yield page;
      return;
    }
    yield page.filter(({ timeNs }) => timeNs !== lastNs);
    yield await select(connection, columns, conditions, { fromNs: lastNs, toNs: lastNs + 1n });
    fromNs = lastNs + 1n;
  }
}

/** Throws `conflict` for a field that has values of several types, which one column cannot hold. */
export function refuseClashing({ measurement, fields }: Columns): void {
  const known = new Set<string>();
  for (const { field } of fields) {
    if (!known.has(field)) known.add(field);
    else {
      const message = `field ${JSON.stringify(field)} of ${measurement} has values of several types: it cannot be copied`;
      throw new TidemarkError('conflict', message);
    }
  }
}

export function expressionOf({ field, type }: Columns['fields'][number]): string {
  return `${quoteName(field)}::${type}`;
}

async function select(
  connection: Connection,
  columns: Columns,
  conditions: readonly string[],
  { limit, ...range }: TimeRange & { limit?: number },
): Promise<Point[]> {
  const { measurement, fields, tags } = columns;
  const cells = [...fields.map(expressionOf), ...tags.map((tag) => `${quoteName(tag)}::tag`)];
  const end = limit === undefined ? '' : ` LIMIT ${limit}`;
  const where = `WHERE ${[...conditions, timeCondition(range)].join(' AND ')} ORDER BY time${end}`;
  const [series = []] = await connection.query(
    [`SELECT ${cells.join(', ')} FROM ${quoteName(measurement)} ${where}`],
    maxRows,
  );
  return series.flatMap(({ values }) => values).map((row) => toPoint(row, columns));
}

function toPoint(row: readonly unknown[], { measurement, fields, tags }: Columns): Point {
  const cells = row.slice(1);
  return {
    measurement,
    fields: fields.flatMap(({ field, type }, index): Field[] => {
      const cell = cells[index];
      return cell === null || cell === undefined ? [] : [[field, fieldValueOf(cell, type)]];
    }),
    tags: tags.flatMap((tag, index): Tag[] => {
      const value = cells[fields.length + index];
      return typeof value === 'string' && value !== '' ? [[tag, value]] : [];
    }),
    timeNs: timeOf(row[0]),
  };
}

function fieldValueOf(cell: unknown, type: FieldType): FieldValue {
  if (type === 'float') return Number(cell);
  if (type === 'integer') return BigInt(cell as number | bigint);
  if (type === 'unsigned') return new Uint64(BigInt(cell as number | bigint));
  return cell as FieldValue;
}
