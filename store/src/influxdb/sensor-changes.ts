import { encodeLine, type Point, type Tag, TidemarkError } from '@tidemark/core';
import { sensorMeasurements } from '../sensor-measurements.ts';
import type { Connection } from './connection.ts';
import { quoteName, quoteText } from './influxql.ts';
import { encodeName } from './names.ts';
import { type Columns, expressionOf, pagesOf, refuseClashing } from './pages.ts';
import { loadFields, loadTagKeys } from './schema.ts';

/** Series of one measurement. */
const maxRows = 1_000_000;
/** Fields of one statement. */
const maxColumns = 500;
/** Holds a point for each rename that has begun and has not ended, so that a second try goes on. */
const renames = 'tidemark_renames';
const always = { fromNs: 0n, toNs: 2n ** 63n };

/** What a sensor has in one measurement; names as InfluxDB has them. */
interface Part extends Columns {
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
    for (const part of parts) refuseClashing(part);
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
  fields: Columns['fields'],
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

function total(parts: readonly Part[]): number {
  return parts.reduce((sum, { points }) => sum + points, 0);
}

async function deleteParts(connection: Connection, parts: readonly Part[], sensor: string): Promise<void> {
  for (const { measurement } of parts) {
    await connection.query([`DELETE FROM ${quoteName(measurement)} WHERE ${ofSensor(sensor)}`], 1);
  }
}

async function copyPart(connection: Connection, part: Part, from: string, to: string): Promise<void> {
  for await (const page of pagesOf(connection, part, { ...always, conditions: [ofSensor(from)] }))
    await writeCopies(connection, page, to);
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
