import {
  encodeLine,
  type Field,
  type FieldType,
  type FieldValue,
  type Point,
  type Tag,
  TidemarkError,
  Uint64,
} from '@tidemark/core';
import { sensorMeasurements } from '../sensor-measurements.ts';
import { timeOf } from './cells.ts';
import type { Connection } from './connection.ts';
import { quoteName, quoteText, timeCondition } from './influxql.ts';
import { encodeName } from './names.ts';
import { loadFields, loadTagKeys } from './schema.ts';

/** Rows that are copied at a time. */
const pageRows = 10_000;
/** Most rows of one sensor at one time, and series of one measurement. */
const maxRows = 1_000_000;
/** Fields of one statement. */
const maxColumns = 500;
/** Holds a point for each rename that has begun and has not ended, so that a second try goes on. */
const renames = 'tidemark_renames';
const always = { fromNs: 0n, toNs: 2n ** 63n };

interface PartField {
  field: string;
  type: FieldType;
}

/** What a sensor has in one measurement; names as InfluxDB has them. */
interface Part {
  measurement: string;
  fields: PartField[];
  tags: string[];
  /** Values: one for each field and time. */
  points: number;
}

/** How many values there are of a sensor. */
export async function countSensor(connection: Connection, sensor: string): Promise<number> {
  return total(await partsOf(connection, sensor));
}

/** Deletes all of a sensor; answers how many values there were. */
export async function deleteSensor(connection: Connection, sensor: string): Promise<{ points: number }> {
  const parts = await partsOf(connection, sensor);
  await deleteParts(connection, parts, sensor);
  return { points: total(parts) };
}

/**
 * Copies all of `from` to `to`, then deletes it. InfluxDB has no transaction: until the end a mark stands there
 * that lets a call after an interruption tell its own copies from data that `to` had before.
 */
export async function renameSensor(connection: Connection, from: string, to: string): Promise<void> {
  if (from === to) return;
  const hasBegun = await isMarked(connection, from, to);
  const parts = await partsOf(connection, from);
  if (total(parts) > 0) {
    if (!hasBegun && total(await partsOf(connection, to)) > 0) {
      throw new TidemarkError('conflict', `the store has data of ${JSON.stringify(to)} already`);
    }
    for (const part of parts) assertCopyable(part);
    await setMark(connection, from, to);
    for (const part of parts) await copyPart(connection, part, from, to);
    await checkCopy(connection, parts, from, to);
    await deleteParts(connection, parts, from);
  }
  await connection.query([`DELETE FROM ${quoteName(renames)} WHERE ${markCondition(from, to)}`], 1);
}

async function partsOf(connection: Connection, sensor: string): Promise<Part[]> {
  const parts: Part[] = [];
  for (const measurement of sensorMeasurements) {
    const known = (await loadFields(connection, measurement)).map(({ field, ...rest }) => ({
      ...rest,
      field: encodeName(field),
    }));
    const counts = await countValues(connection, measurement, known, sensor);
    const fields = known.filter((_, index) => counts[index] !== 0);
    if (fields.length === 0) continue;
    const points = counts.reduce((sum, count) => sum + count, 0);
    parts.push({ measurement, fields, tags: await loadTagKeys(connection, measurement), points });
  }
  return parts;
}

/** The number of values of each field. */
async function countValues(
  connection: Connection,
  measurement: string,
  fields: readonly PartField[],
  sensor: string,
): Promise<number[]> {
  const counts: number[] = [];
  for (let start = 0; start < fields.length; start += maxColumns) {
    const columns = fields.slice(start, start + maxColumns);
    const expressions = columns.map((field) => `count(${expressionOf(field)})`).join(', ');
    const [series = []] = await connection.query(
      [`SELECT ${expressions} FROM ${quoteName(measurement)} WHERE ${ofSensor(sensor)}`],
      maxRows,
    );
    const row = series[0]?.values[0];
    counts.push(...columns.map((_, index) => Number(row?.[index + 1] ?? 0)));
  }
  return counts;
}

function expressionOf({ field, type }: PartField): string {
  return `${quoteName(field)}::${type}`;
}

function total(parts: readonly Part[]): number {
  return parts.reduce((sum, { points }) => sum + points, 0);
}

async function deleteParts(connection: Connection, parts: readonly Part[], sensor: string): Promise<void> {
  for (const { measurement } of parts) {
    await connection.query([`DELETE FROM ${quoteName(measurement)} WHERE ${ofSensor(sensor)}`], 1);
  }
}

/** A copy would have one type for each field. */
function assertCopyable({ measurement, fields }: Part): void {
  const clashing = fields.find(
    ({ field }, index) => fields.findIndex((one) => one.field === field) !== index,
  );
  if (clashing === undefined) return;
  const message = `field ${JSON.stringify(clashing.field)} of ${measurement} has values of several types: it cannot be copied`;
  throw new TidemarkError('conflict', message);
}

/** Copies page by page; the time at a page's end is taken as a whole, since no order is known within it. */
async function copyPart(connection: Connection, part: Part, from: string, to: string): Promise<void> {
  let { fromNs } = always;
  for (;;) {
    const page = await select(connection, part, from, { fromNs, toNs: always.toNs, limit: pageRows });
    await writeCopies(connection, page, to);
    const last = page.at(-1);
    if (last === undefined || page.length < pageRows) return;
    const lastNs = last.timeNs;
    await writeCopies(
      connection,
      await select(connection, part, from, { fromNs: lastNs, toNs: lastNs + 1n }),
      to,
    );
    fromNs = lastNs + 1n;
  }
}

/** Nothing may be deleted that is not there twice. */
async function checkCopy(
  connection: Connection,
  parts: readonly Part[],
  from: string,
  to: string,
): Promise<void> {
  const points = total(parts);
  const isComplete = total(await partsOf(connection, to)) >= points;
  if (isComplete && total(await partsOf(connection, from)) === points) return;
  const message = `${JSON.stringify(from)} changed while it was copied to ${JSON.stringify(to)}: rename it again`;
  throw new TidemarkError('store_unavailable', message, { retryable: true });
}

interface Rows {
  fromNs: bigint;
  toNs: bigint;
  limit?: number;
}

async function select(connection: Connection, part: Part, sensor: string, rows: Rows): Promise<Point[]> {
  const { measurement, fields, tags } = part;
  const columns = [...fields.map(expressionOf), ...tags.map((tag) => `${quoteName(tag)}::tag`)];
  const limit = rows.limit === undefined ? '' : ` LIMIT ${rows.limit}`;
  const where = `WHERE ${ofSensor(sensor)} AND ${timeCondition(rows)} ORDER BY time${limit}`;
  const [series = []] = await connection.query(
    [`SELECT ${columns.join(', ')} FROM ${quoteName(measurement)} ${where}`],
    maxRows,
  );
  return series.flatMap(({ values }) => values).map((row) => toPoint(row, part));
}

function toPoint(row: readonly unknown[], { measurement, fields, tags }: Part): Point {
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

async function writeCopies(connection: Connection, points: readonly Point[], to: string): Promise<void> {
  if (points.length === 0) return;
  const lines = points.map(({ tags, ...point }) =>
    encodeLine({
      ...point,
      tags: tags.map(([key, value]): Tag => [key, key === 'sensor' ? encodeName(to) : value]),
    }),
  );
  await writeAll(connection, lines);
}

async function writeAll(connection: Connection, lines: readonly string[]): Promise<void> {
  const fault = await connection.write(lines.join('\n'));
  if (fault === undefined) return;
  if (fault.kind === 'too_large' && lines.length > 1) {
    const middle = lines.length >> 1;
    await writeAll(connection, lines.slice(0, middle));
    return writeAll(connection, lines.slice(middle));
  }
  throw new TidemarkError('store_unavailable', `InfluxDB refuses a copy: ${fault.message}`, {
    retryable: true,
  });
}

async function isMarked(connection: Connection, from: string, to: string): Promise<boolean> {
  const [series = []] = await connection.query(
    [`SELECT "pending" FROM ${quoteName(renames)} WHERE ${markCondition(from, to)}`],
    maxRows,
  );
  return series.length > 0;
}

async function setMark(connection: Connection, from: string, to: string): Promise<void> {
  const tags: Tag[] = [
    ['new', encodeName(to)],
    ['old', encodeName(from)],
  ];
  await writeAll(connection, [
    encodeLine({ measurement: renames, tags, fields: [['pending', true]], timeNs: 0n }),
  ]);
}

function markCondition(from: string, to: string): string {
  return `"old"::tag = ${quoteText(encodeName(from))} AND "new"::tag = ${quoteText(encodeName(to))}`;
}

function ofSensor(sensor: string): string {
  return `"sensor"::tag = ${quoteText(encodeName(sensor))}`;
}
