// `npm run bench` runs every benchmark and prints one table; `npm run bench -- NAME` one of them.
import { availableParallelism, cpus } from 'node:os';
import { besideQueries } from './beside-queries.ts';
import { computeMetrics } from './compute-metrics.ts';
import { dashboards } from './dashboards.ts';
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

const benchmarks: Record<string, () => Promise<Row[]>> = {
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
  dashboards,
};

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !(name in benchmarks));
if (unknown !== undefined) {
  process.stderr.write(`no benchmark ${unknown}; there are ${Object.keys(benchmarks).join(', ')}\n`);
  process.exit(2);
}
const rows: Row[] = [];
for (const [name, run] of Object.entries(benchmarks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stderr.write(`${name} …\n`);
  rows.push(...(await run()));
}
const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`;
process.stdout.write(`\n${machine}\n\n${toTable(rows)}\n`);
