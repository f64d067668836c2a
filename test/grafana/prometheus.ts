import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Series } from '@tidemark/grafana/testing';
import { onTestFinished } from 'vitest';
import { tempDir } from '../support/temp-dir.ts';

/** A real Prometheus that scrapes each job's targets every second; it ends with the test. */
export async function startPrometheus(
  binary: string,
  jobs: Readonly<Record<string, readonly string[]>>,
): Promise<Prometheus> {
  const folder = await tempDir();
  const port = await freePort();
  await writeFile(
    join(folder, 'prometheus.yml'),
    JSON.stringify({
      global: { scrape_interval: '1s' },
      scrape_configs: Object.entries(jobs).map(([job_name, targets]) => ({
        job_name,
        static_configs: [{ targets }],
      })),
    }),
  );
  const child = spawn(
    binary,
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    query: (expr) => ask(`${url}/api/v1/query?${new URLSearchParams({ query: expr })}`),
    queryRange: (expr, fromMs, toMs, stepS) =>
      ask(
        `${url}/api/v1/query_range?${new URLSearchParams({
          query: expr,
          start: String(fromMs / 1000),
          end: String(toMs / 1000),
          step: String(stepS),
        })}`,
      ),
  };
}

export interface Prometheus {
  /** Series with their value now. */
  query(expr: string): Promise<Series[]>;
  /** Series with their values over time. */
  queryRange(expr: string, fromMs: number, toMs: number, stepS: number): Promise<Series[]>;
}

interface Answer {
  status: string;
  error?: string;
  data: {
    result: { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] }[];
  };
}

async function ask(url: string): Promise<Series[]> {
  const response = await fetch(url);
  const { status, error, data } = (await response.json()) as Answer;
  if (status !== 'success') throw new Error(`${error} for ${url}`);
  return data.result.map(({ metric, value, values = [] }) => ({
    name: '',
    tags: metric,
    columns: ['time', 'value'],
    values: (value ? [value] : values).map(([seconds, text]) => [
      seconds * 1000,
      Number.isNaN(Number(text)) ? null : Number(text),
    ]),
  }));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
