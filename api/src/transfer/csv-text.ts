import { fieldTypeOf, formatTime, type Point, type Tag, tagOf } from '@tidemark/core';
import { cell } from '../routes/csv.ts';
import { csvColumns, tagsCell, valueCell } from './cells.ts';

/** Series whose cells are remembered. */
const KNOWN_SERIES = 10_000;

export const csvHeader = `${csvColumns.join(',')}\r\n`;

/** Writes points as CSV (RFC 4180), a row for each value. */
export class CsvText {
  #known = new Map<readonly Tag[], string>();

  rows(points: readonly Point[]): string {
    let text = '';
    for (const point of points) {
      const { measurement, tags, fields, timeNs } = point;
      const start = `${formatTime(timeNs)},${cell(measurement)},${this.#tags(tags)}`;
      for (const [field, value] of fields)
        text += `${start},${cell(field)},${fieldTypeOf(value)},${cell(valueCell(value))}\r\n`;
    }
    return text;
  }

  #tags(tags: readonly Tag[]): string {
    let text = this.#known.get(tags);
    if (text === undefined) {
      text = [tagOf(tags, 'sensor'), tagOf(tags, 'location'), tagsCell(tags)].map(cell).join(',');
      if (this.#known.size >= KNOWN_SERIES) this.#known.clear();
      this.#known.set(tags, text);
    }
    return text;
  }
}
