import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { intervalOf, type Panel, readDashboards, type Store, valuesOf } from '@tidemark/grafana/testing';
import { runJson, startTidemark } from './process.ts';
import { untilIdle } from './readings.ts';
import { median, type Row } from './table.ts';

export const SENSORS = 200;
export const DAYS = 30;

const ROUNDS = 7;
const DAY_MS = 86_400_000;
const TARGET_MS = 300;
/** `DASHBOARDS_STEP_S=100` asks the same of a tenth of the readings. */
const stepS = Number(process.env.DASHBOARDS_STEP_S ?? 10);
const loader = fileURLToPath(new URL('./dashboards-load.ts', import.meta.url));

/** Every panel of Fleet and Sensor over 30 days of 200 sensors at one reading in 10 s, as Grafana asks for them. */
export async function dashboards(): Promise<Row[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const endMs = Date.now();
  try {
    const { points } = await runJson<{ points: number }>([loader, dataDir, String(endMs), String(stepS)]);
    const server = await startTidemark(dataDir);
    try {
      await untilIdle(server.process.pid!);
      const store = { url: String(server.ready.httpUrl), database: 'tidemark', token: undefined };
      const rows: Row[] = [];
      for (const { name, panels } of readDashboards()) {
        if (name !== 'fleet' && name !== 'sensor') continue;
        for (const panel of panels) rows.push(await time(store, panel, { points, endMs }));
      }
      return rows;
    } finally {
      await server.stop();
    }
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

interface Data {
  points: number;
  endMs: number;
}

async function time(store: Store, panel: Panel, { points, endMs }: Data): Promise<Row> {
  const toMs = panel.title.endsWith('the week before') ? endMs - 7 * DAY_MS : endMs;
  const view = {
    fromMs: toMs - DAYS * DAY_MS,
    toMs,
    intervalMs: intervalOf(panel, DAYS * DAY_MS),
    variables: {
      location: 'all',
      sensor: panel.where.startsWith('sensor') ? ['sensor-7'] : 'all',
      metric: ['temperature'],
    },
  } as const;
  const tookMs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = performance.now();
    await valuesOf(store, panel.targets, view);
    tookMs.push(performance.now() - startMs);
  }
  const [load] = loadavg();
  return {
    what: `dashboard ${panel.where}, ${DAYS} days of ${SENSORS} sensors, ${(points / 1e6).toFixed(0)} M readings`,
    figure: `${median(tookMs).toFixed(0)} ms`,
    note: `first ${tookMs[0]!.toFixed(0)} ms, slowest ${Math.max(...tookMs).toFixed(0)} ms; target < ${TARGET_MS} ms; load average ${load!.toFixed(1)}`,
  };
}
