import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type FieldType,
  fieldTypeOf,
  type Point,
  type Tag,
  TidemarkError,
  tagOf,
  Uint64,
} from '@tidemark/core';
import type { ParquetAnswer, ParquetPage, ParquetRequest, ParquetRows, ParquetSeries } from './messages.ts';

interface ParquetOptions {
  /** For what is gathered meanwhile; the caller removes it. */
  folder: string;
  file: string;
  /** Ends the work at once. */
  signal: AbortSignal;
  /** All tags besides `sensor` and `location`, as the cell of a row. */
  tagsCell: (tags: readonly Tag[]) => string;
}

const childFile = new URL(`./child${extname(fileURLToPath(import.meta.url))}`, import.meta.url);

/** Writes all points to a Parquet file, a row for each value. Memory does not grow with them; the folder does. */
export async function writeParquet(
  pages: AsyncIterable<readonly Point[]>,
  { folder, file, signal, tagsCell }: ParquetOptions,
): Promise<void> {
  const child = new ParquetProcess(signal);
  try {
    await child.ask({ kind: 'write', folder });
    for await (const points of pages)
      for (const page of pagesOf(points, tagsCell)) await child.ask({ kind: 'page', page });
    await child.ask({ kind: 'finish', file });
  } finally {
    await child.end();
  }
}

/** Rows of a Parquet file, some at a time; `onTotal` is told first how many there are. Throws `bad_request` when it is damaged or has other columns. */
export async function* readParquet({
  folder,
  file,
  signal,
  onTotal,
}: Omit<ParquetOptions, 'tagsCell'> & { onTotal: (rows: number) => void }): AsyncGenerator<ParquetRows> {
  const child = new ParquetProcess(signal);
  try {
    const opened = await child.ask({ kind: 'read', folder, file });
    if (opened.kind === 'opened') onTotal(opened.total);
    for (;;) {
      const answer = await child.ask({ kind: 'next' });
      if (answer.kind !== 'rows' || answer.rows === undefined) return;
      yield answer.rows;
    }
  } catch (error) {
    throw error instanceof ChildFault ? badFile(error, file) : error;
  } finally {
    await child.end();
  }
}

/** What DuckDB said. */
class ChildFault extends TidemarkError {}

function badFile({ message }: Error, file: string): TidemarkError {
  const detail = message.split('\n')[0]!.replaceAll(file, 'it');
  return new TidemarkError('bad_request', `the body is no Parquet file that can be imported: ${detail}`);
}

/** One process at work; asked one thing at a time. */
class ParquetProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(signal: AbortSignal) {
    this.#child = fork(childFile, [], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      signal,
      killSignal: 'SIGKILL',
    });
    // Told by the question that waits.
    this.#child.on('error', () => {});
    this.#exited = once(this.#child, 'exit').catch(() => {});
  }

  /** Throws `ChildFault` with what went wrong there. */
  async ask(request: ParquetRequest): Promise<ParquetAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<ParquetAnswer>();
    const fail = () => reject(new ChildFault('unavailable', 'the process that handles Parquet has ended'));
    this.#child.once('message', resolve).once('exit', fail);
    this.#child.send(request, (error) => error && fail());
    try {
      const answer = await promise;
      if (answer.kind === 'failed') throw new ChildFault('unavailable', answer.message);
      return answer;
    } finally {
      this.#child.off('message', resolve).off('exit', fail);
    }
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

/** Values of one type that are gathered for a page, and the places of their series in it. */
interface Gathered {
  page: ParquetPage;
  idOf: Map<readonly Tag[], Map<string, number>>;
}

/** Points by type, with the series they are of told once. */
function pagesOf(points: readonly Point[], tagsCell: ParquetOptions['tagsCell']): ParquetPage[] {
  const byType = new Map<FieldType, Gathered>();
  for (const point of points) {
    for (const [field, value] of point.fields) {
      const type = fieldTypeOf(value);
      let gathered = byType.get(type);
      if (gathered === undefined) {
        gathered = { page: { type, series: [], ids: [], times: [], values: [] }, idOf: new Map() };
        byType.set(type, gathered);
      }
      const { page } = gathered;
      page.ids.push(seriesIdOf(gathered, point, field, tagsCell));
      page.times.push(point.timeNs);
      page.values.push(value instanceof Uint64 ? value.value : value);
    }
  }
  return [...byType.values()].map(({ page }) => page);
}

function seriesIdOf(
  { page, idOf }: Gathered,
  { measurement, tags }: Point,
  field: string,
  tagsCell: ParquetOptions['tagsCell'],
): number {
  let ids = idOf.get(tags);
  if (ids === undefined) {
    ids = new Map();
    idOf.set(tags, ids);
  }
  const name = JSON.stringify([measurement, field]);
  let id = ids.get(name);
  if (id === undefined) {
    id = page.series.length;
    ids.set(name, id);
    page.series.push(seriesOf(measurement, tags, field, tagsCell));
  }
  return id;
}

function seriesOf(
  measurement: string,
  tags: readonly Tag[],
  field: string,
  tagsCell: ParquetOptions['tagsCell'],
): ParquetSeries {
  return [
    measurement,
    tagOf(tags, 'sensor') ?? null,
    tagOf(tags, 'location') ?? null,
    tagsCell(tags) || null,
    field,
  ];
}
