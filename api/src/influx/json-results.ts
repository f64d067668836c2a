import type { QueryValue } from '@tidemark/store';
import { type Piece, piecesOf, type Result, timeTeller, valueJson } from './results.ts';

/** A part for each row would cost more than its text. */
const PART_CHARS = 1024;

interface JsonOptions {
  epoch: string | undefined;
  /** Rows of a piece; undefined where the answer is one whole. */
  chunkRows: number | undefined;
  isPretty: boolean;
}

/** The answer as InfluxDB's JSON, in parts: one object, or, in chunks, one for each piece on a line of its own. */
export function* jsonResults(results: readonly Result[], options: JsonOptions): Generator<string> {
  if (options.chunkRows !== undefined) {
    for (const result of results) yield* chunksOf(result, options.chunkRows, options.epoch);
    return;
  }
  const parts = wholeOf(results, options.epoch);
  if (options.isPretty) yield `${JSON.stringify(JSON.parse([...parts].join(''), keepSource), null, 4)}\n`;
  else yield* parts;
}

function* wholeOf(results: readonly Result[], epoch: string | undefined): Generator<string> {
  if (results.length === 0) {
    yield '{}\n';
    return;
  }
  yield '{"results":[';
  for (const [index, result] of results.entries()) {
    yield `${index === 0 ? '' : ','}{"statement_id":${result.statement}`;
    if (result.error !== undefined) yield `,"error":${JSON.stringify(result.error)}`;
    if (result.series.length > 0) {
      yield ',"series":[';
      for (const [position, series] of result.series.entries()) {
        if (position > 0) yield ',';
        for (const piece of piecesOf(series, Number.POSITIVE_INFINITY)) yield* seriesJson(piece, epoch);
      }
      yield ']';
    }
    yield '}';
  }
  yield ']}\n';
}

function* chunksOf(
  { statement, series, error }: Result,
  chunkRows: number,
  epoch: string | undefined,
): Generator<string> {
  const head = `{"results":[{"statement_id":${statement}`;
  if (error !== undefined) yield `${head},"error":${JSON.stringify(error)}}]}\n`;
  else if (series.length === 0) yield `${head}}]}\n`;
  for (const [index, item] of series.entries()) {
    // A result is partial as long as anything of its statement follows; what has no time comes as it is.
    const isLastSeries = index === series.length - 1 || !item.hasTime;
    for (const piece of piecesOf(item, chunkRows)) {
      yield `${head},"series":[`;
      yield* seriesJson(piece, epoch);
      yield `]${piece.isPartial || !isLastSeries ? ',"partial":true' : ''}}]}\n`;
    }
  }
}

function* seriesJson(
  { series, rows, count, isPartial }: Piece,
  epoch: string | undefined,
): Generator<string> {
  const { name, tags, columns, hasTime, timeZone } = series;
  const members = [
    ...(name === undefined ? [] : [`"name":${JSON.stringify(name)}`]),
    ...(tags === undefined ? [] : [`"tags":{${[...tags].sort(byKey).map(tagJson).join(',')}}`]),
    `"columns":${JSON.stringify(columns)}`,
  ];
  yield `{${members.join(',')}`;
  if (count > 0) {
    const tell = timeTeller(epoch, timeZone);
    let text = ',"values":[';
    for (let row = 0; row < count; row++) {
      if (text.length >= PART_CHARS) {
        yield text;
        text = '';
      }
      text += `${row === 0 ? '' : ','}${rowJson(rows.next().value, hasTime, tell)}`;
    }
    yield `${text}]`;
  }
  yield isPartial ? ',"partial":true}' : '}';
}

function rowJson(
  row: readonly QueryValue[],
  hasTime: boolean,
  tell: (timeNs: bigint) => string | bigint,
): string {
  let text = `[${valueJson(hasTime ? tell(row[0] as bigint) : row[0]!)}`;
  for (let index = 1; index < row.length; index++) text += `,${valueJson(row[index]!)}`;
  return `${text}]`;
}

function byKey([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}

function tagJson([key, value]: readonly [string, string]): string {
  return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
}

/** Numbers as they stand in the text, whatever their size. */
function keepSource(this: unknown, _key: string, value: unknown, context?: { source?: string }): unknown {
  const raw = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;
  return typeof value === 'number' && context?.source !== undefined ? raw(context.source) : value;
}
