// `npm run bench` runs every benchmark and prints one table; `npm run bench -- NAME` one of them. What one takes besides
// stands behind its name: `export-import:100000000:csv`.
import { availableParallelism, cpus } from 'node:os';
import { besideQueries } from './beside-queries.ts';
import { computeMetrics } from './compute-metrics.ts';
import { dashboards } from './dashboards.ts';
import { exportImport } from './export-import.ts';
import { flows } from './flows.ts';
import { grpc } from './grpc.ts';
import { lineProtocol } from './line-protocol.ts';
import { live } from './live.ts';
import { mqttPublish } from './mqtt-publish.ts';
import { queriesBesideInfluxd } from './queries.ts';
import { rules } from './rules.ts';
import { series } from './series.ts';
import { start } from './start.ts';
import { type Row, toTable } from './table.ts';
import { travellers } from './travellers.ts';
import { year } from './year.ts';

const benchmarks: Record<string, (...given: string[]) => Promise<Row[]>> = {
  start,
  series,
  'mqtt-publish': mqttPublish,
  'line-protocol': lineProtocol,
  grpc,
  rules,
  live,
  queries: queriesBesideInfluxd,
  'beside-queries': besideQueries,
  travellers,
  flows,
  'compute-metrics': computeMetrics,
  year,
  'export-import': exportImport,
  dashboards,
};

const wanted = new Map(process.argv.slice(2).map((text) => [text.split(':')[0]!, text.split(':').slice(1)]));
const unknown = [...wanted.keys()].find((name) => !(name in benchmarks));
if (unknown !== undefined) {
  process.stderr.write(`no benchmark ${unknown}; there are ${Object.keys(benchmarks).join(', ')}\n`);
  process.exit(2);
}
const rows: Row[] = [];
for (const [name, run] of Object.entries(benchmarks)) {
  if (wanted.size > 0 && !wanted.has(name)) continue;
  process.stderr.write(`${name} …\n`);
  rows.push(...(await run(...(wanted.get(name) ?? []))));
}
const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`;
process.stdout.write(`\n${machine}\n\n${toTable(rows)}\n`);
