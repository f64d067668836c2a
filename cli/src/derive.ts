import { parseJson } from '@tidemark/core';
import { ask } from './ask.ts';
import { type ConnectionOptions, type HttpConnection, httpConnection } from './connection.ts';
import { toTable } from './table.ts';

export interface DeriveOptions extends ConnectionOptions {
  from: string;
  to?: string;
  metric?: string[];
  sensor?: string[];
  dryRun: boolean;
  json?: boolean;
}

interface Step {
  readings: number;
  values: number;
  next: string | null;
}

/** `tidemark derive`. */
export async function derive(options: DeriveOptions): Promise<void> {
  const connection = httpConnection(options);
  const rows: { metric: string; readings: number; values: number }[] = [];
  for (const metric of options.metric ?? (await metricsOf(connection)))
    rows.push({ metric, ...(await deriveOne(connection, metric, options)) });
  const output = options.json ? rows.map((row) => `${JSON.stringify(row)}\n`).join('') : toTable(rows);
  process.stdout.write(output);
}

async function metricsOf(connection: HttpConnection): Promise<string[]> {
  const body = parseJson(await ask(connection, { path: 'derived' })) as { items: { metric: string }[] };
  return body.items.map(({ metric }) => metric);
}

async function deriveOne(
  connection: HttpConnection,
  metric: string,
  { from, to, sensor: sensors = [], dryRun }: DeriveOptions,
): Promise<{ readings: number; values: number }> {
  const sum = { readings: 0, values: 0 };
  for (let next: string | null = from; next !== null; ) {
    const body = { metric, sensors, from: next, ...(to !== undefined && { to }), dryRun };
    const step = parseJson(await ask(connection, { method: 'POST', path: 'derived', body })) as Step;
    sum.readings += step.readings;
    sum.values += step.values;
    next = step.next;
  }
  return sum;
}
