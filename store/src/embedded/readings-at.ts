import { fieldTypes, type Reading } from '@tidemark/core';
import type { ReadingKey } from '../engine.ts';
import type { Reader } from './reader.ts';
import { compareRows, groupRows, pushRows, type Row } from './readings.ts';
import type { Series } from './series.ts';
import type { SourcePoint } from './source.ts';

/** Readings by what identifies them: those of before the points in memory with one statement for each type of value. */
export async function queryReadingsAt(
  reader: Reader,
  keys: readonly ReadingKey[],
): Promise<(Reading | undefined)[]> {
  const rows: Row[] = [];
  const asked: SourcePoint[] = [];
  await reader.recent.catchUp();
  for (const { sensor, timeNs } of keys) {
    const series = reader.series.select({ sensors: [sensor] });
    const known = reader.recent.find(series, timeNs);
    if (known === undefined) asked.push({ timeNs, series });
    else rows.push(...known);
  }
  for (const type of fieldTypes) {
    const points = asked
      .map(
        ({ timeNs, series }): SourcePoint => ({ timeNs, series: series.filter((one) => one.type === type) }),
      )
      .filter(({ series }) => series.length > 0);
    if (points.length === 0) continue;
    const times = points.map(({ timeNs }) => timeNs).sort((a, b) => (a < b ? -1 : 1));
    const range = { fromNs: times[0]!, toNs: times.at(-1)! + 1n };
    await reader.read(
      {
        type,
        wanted: [...new Set(points.flatMap(({ series }): readonly Series[] => series))],
        ...range,
        points,
      },
      ({ sql }) => ({ sql: `SELECT series, time, value FROM ${sql}` }),
      (columns) => pushRows(rows, reader.series, columns),
    );
  }
  const found = new Map<string, Reading>();
  for (const reading of groupRows(rows.sort(compareRows('asc')))) found.set(nameOf(reading), reading);
  return keys.map((key) => found.get(nameOf(key)));
}

function nameOf({ sensor, timeNs }: ReadingKey): string {
  return `${timeNs}@${sensor}`;
}
