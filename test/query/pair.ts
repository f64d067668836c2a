import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, messageOf, type Point, parseJson, parseLines, systemClock } from '@tidemark/core';
import type { Statement } from '@tidemark/influxql';
import { parseInfluxql } from '@tidemark/influxql/parser';
import type { Engine, QuerySeries } from '@tidemark/store';
import { type Influxd, startEngine, startInfluxd } from '@tidemark/store/testing';

/** A series in the form in which both answers are compared. */
export interface PlainSeries {
  name: string | undefined;
  tags: Record<string, string>;
  columns: readonly string[];
  values: unknown[][];
}

/** What a query came to. */
export type Answer = { series: PlainSeries[] } | { error: string };

/** A real InfluxDB and the embedded store with the same points. */
export interface Pair {
  influxd: Influxd;
  engine: Engine;
  askInfluxd(query: string): Promise<Answer>;
  askTidemark(query: string): Promise<Answer>;
  stop(): Promise<void>;
}

/** Starts both and writes the lines to both. */
export async function startPair(binary: string, lines: readonly string[]): Promise<Pair> {
  const influxd = await startInfluxd(binary);
  const authorization = `Token ${influxd.token}`;
  const body = lines.join('\n');
  const written = await fetch(`${influxd.url}/write?db=tidemark`, {
    method: 'POST',
    headers: { authorization },
    body,
  });
  if (!written.ok) throw new Error(await written.text());
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-influxql-'));
  const config = loadConfig({ overrides: { dataDir } });
  const engine = await startEngine(config);
  const rejected = await engine.write([...pointsOf(body)]);
  if (rejected.length > 0) throw new Error(rejected[0]!.detail);
  return {
    influxd,
    engine,
    askInfluxd: async (query) => {
      const response = await fetch(`${influxd.url}/query?db=tidemark&epoch=ns`, {
        method: 'POST',
        headers: { authorization },
        body: new URLSearchParams({ q: query }),
      });
      return fromInfluxd(parseJson(await response.text()) as InfluxdBody);
    },
    askTidemark: (query) => ask(engine, query),
    stop: async () => {
      await engine.stop();
      await rm(dataDir, { recursive: true });
      await influxd.stop();
    },
  };
}

function* pointsOf(lines: string): Generator<Point> {
  for (const parsed of parseLines(lines)) {
    if (!('point' in parsed)) throw new Error(parsed.problem);
    yield { ...parsed.point, timeNs: parsed.point.timeNs! };
  }
}

interface InfluxdBody {
  message?: string;
  results?: {
    error?: string;
    series?: { name?: string; tags?: Record<string, string>; columns: string[]; values?: unknown[][] }[];
  }[];
}

function fromInfluxd({ message, results }: InfluxdBody): Answer {
  const error = message?.replace(/^failed to parse query: /, '') ?? results?.[0]?.error;
  if (error !== undefined) return { error };
  const series = results?.[0]?.series ?? [];
  return {
    series: series.map(({ name, tags = {}, columns, values = [] }) => ({ name, tags, columns, values })),
  };
}

async function ask(engine: Engine, query: string): Promise<Answer> {
  if (engine.influxql.kind !== 'own') throw new Error('this is not the embedded store');
  try {
    const [statement] = parseInfluxql(query);
    const options = { nowNs: systemClock.nowNs(), database: 'tidemark' };
    return { series: (await engine.influxql.answer(statement as Statement, options)).map(plain) };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

function plain({ name, tags, columns, values }: QuerySeries): PlainSeries {
  return { name, tags: Object.fromEntries(tags ?? []), columns, values: [...values].map((row) => [...row]) };
}
