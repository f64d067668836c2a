import { setPriority } from 'node:os';
import { join } from 'node:path';
import {
  BIGINT,
  type DuckDBAppender,
  type DuckDBConnection,
  DuckDBDataChunk,
  DuckDBInstance,
  type DuckDBResult,
  INTEGER,
  VARCHAR,
} from '@duckdb/node-api';
import { fieldTypes, messageOf } from '@tidemark/core';
import { appendColumns } from '../embedded/chunk.ts';
import { createPoints, valueTypes } from '../embedded/schema.ts';
import type { ParquetAnswer, ParquetPage, ParquetRequest, ParquetRows } from './messages.ts';

// The process that writes and reads one Parquet file, started by `ParquetProcess`: a damaged file ends it and nothing
// else, its threads are none of those that the log's fdatasync waits for, and its memory is its own.

const MEMORY_LIMIT = '256MiB';
/** A platform in want of the processor comes first. */
const LOW_PRIORITY = 10;

const columns: Record<string, string> = {
  time: 'BIGINT',
  measurement: 'VARCHAR',
  sensor: 'VARCHAR',
  location: 'VARCHAR',
  tags: 'VARCHAR',
  field: 'VARCHAR',
  float: 'DOUBLE',
  integer: 'BIGINT',
  unsigned: 'UBIGINT',
  boolean: 'BOOLEAN',
  string: 'VARCHAR',
};
const required = ['time', 'measurement', 'field'];

/** Gathers pages in a database file, from which the Parquet file is written in one go. */
class FileWriter {
  readonly #connection: DuckDBConnection;
  readonly #appenders = new Map<string, { appender: DuckDBAppender; chunk: DuckDBDataChunk }>();
  #series = 0;

  private constructor(connection: DuckDBConnection) {
    this.#connection = connection;
  }

  static async open(folder: string): Promise<FileWriter> {
    const connection = await connect(folder, join(folder, 'gathered.duckdb'));
    const series =
      'id INTEGER, measurement VARCHAR, sensor VARCHAR, location VARCHAR, tags VARCHAR, field VARCHAR';
    await connection.run(`CREATE TABLE series (${series})`);
    const writer = new FileWriter(connection);
    const names = DuckDBDataChunk.create([INTEGER, VARCHAR, VARCHAR, VARCHAR, VARCHAR, VARCHAR]);
    await writer.#open('series', names);
    for (const type of fieldTypes) {
      await connection.run(createPoints(type, type));
      await writer.#open(type, DuckDBDataChunk.create([INTEGER, BIGINT, valueTypes[type].duckdb]));
    }
    return writer;
  }

  add({ type, series, ids, times, values }: ParquetPage): void {
    const first = this.#series;
    this.#series += series.length;
    const column = (index: number) => series.map((one) => one[index] ?? null);
    this.#append('series', [series.map((_, index) => first + index), ...[0, 1, 2, 3, 4].map(column)]);
    this.#append(type, [ids.map((id) => first + id), times, values]);
  }

  async finish(file: string): Promise<void> {
    for (const { appender } of this.#appenders.values()) appender.closeSync();
    const rows = fieldTypes.map((type) => {
      const values = fieldTypes.map((other) => {
        const value = other === type ? 'value' : 'NULL';
        return `CAST(${value} AS ${columns[other]}) AS "${other}"`;
      });
      return `SELECT series, time, ${values.join(', ')} FROM "${type}"`;
    });
    const values = fieldTypes.map((type) => `"${type}"`).join(', ');
    await this.#connection.run(
      `COPY (
         SELECT make_timestamp_ns(time) AS time, measurement, sensor, location, tags, field, ${values}
         FROM (${rows.join(' UNION ALL ')}) AS points JOIN series ON points.series = series.id
       ) TO ${quoteText(file)} (FORMAT parquet, COMPRESSION zstd)`,
    );
    this.#connection.closeSync();
  }

  async #open(table: string, chunk: DuckDBDataChunk): Promise<void> {
    this.#appenders.set(table, { appender: await this.#connection.createAppender(table), chunk });
  }

  #append(table: string, values: Parameters<typeof appendColumns>[2]): void {
    const { appender, chunk } = this.#appenders.get(table)!;
    appendColumns(appender, chunk, values);
  }
}

/** Reads a file row by row, in order. */
class FileReader {
  /** Rows of the file. */
  readonly total: number;
  readonly #result: DuckDBResult;

  private constructor(result: DuckDBResult, total: number) {
    this.#result = result;
    this.total = total;
  }

  /** Throws when it is no Parquet file, or one of other columns. */
  static async open(folder: string, file: string): Promise<FileReader> {
    const connection = await connect(folder, ':memory:');
    const source = `read_parquet(${quoteText(file)})`;
    const described = (await connection.run(`DESCRIBE SELECT * FROM ${source}`)).getColumns();
    const [names = [], types = []] = (await described) as string[][];
    checkColumns(names);
    const cells = Object.entries(columns).map(([name, type]) =>
      cellOf(name, type, types[names.indexOf(name)]),
    );
    const counted = (await connection.run(`SELECT count(*) FROM ${source}`)).getColumns();
    const total = Number((await counted)[0]?.[0]);
    return new FileReader(await connection.stream(`SELECT ${cells.join(', ')} FROM ${source}`), total);
  }

  async next(): Promise<ParquetRows | undefined> {
    const chunk = await this.#result.fetchChunk();
    return chunk === null || chunk.rowCount === 0 ? undefined : (chunk.getColumns() as ParquetRows);
  }
}

function checkColumns(names: readonly string[]): void {
  const unknown = names.find((name) => !(name in columns));
  const missing = required.find((name) => !names.includes(name));
  if (unknown === undefined && missing === undefined) return;
  const fault =
    unknown === undefined ? `${missing} is missing` : `${JSON.stringify(unknown)} is none of them`;
  throw new Error(`its columns have to be ${Object.keys(columns).join(', ')}: ${fault}`);
}

/** A column as what it holds of it; a time is nanoseconds, as a number of its own or whatever DuckDB knows of time. */
function cellOf(name: string, type: string, found: string | undefined): string {
  if (found === undefined) return `CAST(NULL AS ${type})`;
  const isNumber = /INT$/.test(found);
  if (name === 'time' && !isNumber) return `epoch_ns(CAST(time AS TIMESTAMP_NS))`;
  return `CAST("${name}" AS ${type})`;
}

async function connect(folder: string, file: string): Promise<DuckDBConnection> {
  const instance = await DuckDBInstance.create(file, {
    memory_limit: MEMORY_LIMIT,
    temp_directory: join(folder, 'tmp'),
    threads: '1',
    // Else rows wait in memory for those before them.
    preserve_insertion_order: 'false',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  return instance.connect();
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

let writer: FileWriter | undefined;
let reader: FileReader | undefined;

async function answer(request: ParquetRequest): Promise<ParquetAnswer> {
  switch (request.kind) {
    case 'write':
      writer = await FileWriter.open(request.folder);
      return { kind: 'done' };
    case 'page':
      writer!.add(request.page);
      return { kind: 'done' };
    case 'finish':
      await writer!.finish(request.file);
      return { kind: 'done' };
    case 'read':
      reader = await FileReader.open(request.folder, request.file);
      return { kind: 'opened', total: reader.total };
    case 'next':
      return { kind: 'rows', rows: await reader!.next() };
  }
}

setPriority(LOW_PRIORITY);
process.on('message', (request: ParquetRequest) => {
  answer(request)
    .catch((error: unknown): ParquetAnswer => ({ kind: 'failed', message: messageOf(error) }))
    .then((told) => process.send!(told));
});
// Whoever started it is gone, and cannot clean up.
process.on('disconnect', () => process.exit(1));
