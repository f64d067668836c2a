import { fileURLToPath } from 'node:url';
import {
  answersOf,
  countValues,
  type Dashboard,
  interpolatePromql,
  readDashboards,
  type Store,
  type View,
} from '@tidemark/grafana/testing';
import { requireTool } from '@tidemark/store/testing';
import { chromium } from 'playwright-core';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { findProgram } from '../support/find-program.ts';
import { startFlowsAlone } from '../support/flows-process.ts';
import { startPlatformInProcess } from '../support/platform-in-process.ts';
import { type Caller, startCaller } from './caller.ts';
import { fill, plainSensors } from './demo-data.ts';
import { type Answers, drawDashboard } from './draw.ts';
import { type Prometheus, startPrometheus } from './prometheus.ts';

const chromiumPath = findProgram('chromium');
const prometheusPath = findProgram('prometheus');
const hasTools = requireTool('Chromium', chromiumPath) && requireTool('prometheus', prometheusPath);
const images = fileURLToPath(new URL('../../docs/images', import.meta.url));
const hourMs = 3_600_000;

describe.skipIf(!hasTools)('the pictures of docs/grafana.md', () => {
  it('are drawn from what every panel asks; DRAW_DASHBOARDS=1 writes them', {
    timeout: 300_000,
  }, async () => {
    const platform = await startPlatformInProcess({ TIDEMARK_ROLES: 'broker,ingest,alerts,api' });
    onTestFinished(platform.stop);
    onTestFinished(() => void vi.restoreAllMocks());
    const host = `127.0.0.1:${platform.address.httpPort}`;
    const caller = await startCaller(platform.address.grpcPort);
    const flows = await startFlowsAlone({
      TIDEMARK_FLOWS_API_URL: `http://${host}`,
      TIDEMARK_FLOWS_MQTT_URL: `mqtt://127.0.0.1:${platform.address.mqttPort}`,
    });
    const prometheus = await startPrometheus(prometheusPath!, {
      tidemark: [host],
      'tidemark-flows': [new URL(flows.httpUrl).host],
      edge: [caller.host],
    });
    const store: Store = { url: `http://${host}`, database: 'tidemark', token: undefined };
    await fill(store.url, store, [...plainSensors, 'cellar', 'roof', 'office']);

    await report(store.url, prometheus, caller);
    const browser = await chromium.launch({
      executablePath: chromiumPath!,
      args: ['--no-sandbox', '--disable-gpu'],
    });
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    for (const dashboard of readDashboards()) {
      const view = viewOf(dashboard.name);
      const answers = await answersTo(dashboard, view, store, prometheus);
      const shown = dashboard.panels.filter(({ targets }) =>
        targets.some((target) => countValues(answers.get(target) ?? []) > 0),
      );
      expect(shown.length, dashboard.name).toBeGreaterThan(dashboard.panels.length / 2);
      const bottom = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
      await page.setViewportSize({ width: 1360, height: 60 + bottom * 34 });
      await page.setContent(drawDashboard(dashboard, answers, view));
      const saved =
        process.env.DRAW_DASHBOARDS === '1' ? { path: `${images}/grafana-${dashboard.name}.png` } : {};
      expect((await page.screenshot(saved)).length).toBeGreaterThan(10_000);
    }
  });
});

/** Readings over some scrapes, so that there is a rate to draw. */
async function report(url: string, prometheus: Prometheus, caller: Caller): Promise<void> {
  for (let scrapes = 1; scrapes <= 10; scrapes++) {
    const readings = ['cellar', 'roof', 'office'].map((sensor) => ({
      sensor,
      temperature: 20 + Math.sin(scrapes),
    }));
    const body = JSON.stringify(readings);
    await fetch(`${url}/api/v1/readings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    await caller.call();
    const count = () => prometheus.query('count_over_time(up[10m])');
    const before = (await count())[0]?.values[0]?.[1] ?? 0;
    await vi.waitFor(async () => expect((await count())[0]?.values[0]?.[1]).toBeGreaterThan(Number(before)), {
      timeout: 30_000,
      interval: 200,
    });
  }
}

function viewOf(name: string): View {
  const toMs = Date.now();
  const variables = {
    location: 'all',
    sensor: name === 'sensor' ? ['greenhouse-1'] : 'all',
    metric: ['temperature'],
    type: 'all',
    job: 'all',
    instance: 'all',
    service: 'all',
  } as const;
  return name === 'platform' || name.startsWith('grpc-')
    ? { fromMs: toMs - 20_000, toMs: toMs + 1000, intervalMs: 1000, variables }
    : { fromMs: toMs - hourMs * 1.1, toMs, intervalMs: 60_000, variables };
}

async function answersTo(
  { panels }: Dashboard,
  view: View,
  store: Store,
  prometheus: Prometheus,
): Promise<Answers> {
  const answers = new Map();
  for (const { targets, title } of panels) {
    const backMs = title.endsWith('the week before') ? 7 * 24 * hourMs : 0;
    const shifted = { ...view, fromMs: view.fromMs - backMs, toMs: view.toMs - backMs };
    const found =
      targets[0]?.expr === undefined
        ? await answersOf(store, targets, shifted)
        : await Promise.all(
            targets.map(async (target) => {
              const expr = interpolatePromql(target.expr!, view, 1000);
              return [target, await prometheus.queryRange(expr, view.fromMs, view.toMs, 1)] as const;
            }),
          );
    for (const [target, series] of found) answers.set(target, series);
  }
  return answers;
}
