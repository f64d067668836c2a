import {
  countValues,
  type Dashboard,
  interpolatePromql,
  readAlertRules,
  readDashboards,
  type View,
} from '@tidemark/grafana/testing';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findProgram } from '../support/find-program.ts';
import { startFlowsAlone } from '../support/flows-process.ts';
import { startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type Caller, startCaller } from './caller.ts';
import { type Prometheus, startPrometheus } from './prometheus.ts';

const binary = findProgram('prometheus');
const scrapeMs = 1000;
const all = { job: 'all', instance: 'all', service: 'all' } as const;

/** Targets that have nothing to show here, and why. */
const emptyHere = [[/^platform: Notifications: A$/, 'no channel is configured']] as const;

describe.skipIf(!requireTool('prometheus', binary))('with a real Prometheus', () => {
  it('every target that asks it, and every rule about the platform, has values; flows run apart, and somebody calls by gRPC', async () => {
    const fromMs = Date.now();
    const { prometheus, caller } = await startAll();
    const viewOf = (variables: View['variables']): View => ({
      fromMs,
      toMs: Date.now() + 1000,
      intervalMs: 1000,
      variables,
    });
    for (const dashboard of readDashboards().filter(isOfPrometheus)) {
      const offered = await choicesOf(dashboard, prometheus, viewOf(all));
      const chosen = dashboard.name === 'platform' ? [all] : [all, offered];
      if (dashboard.name === 'grpc-client')
        expect(offered).toEqual({
          job: ['edge'],
          instance: [caller.host],
          service: ['tidemark.v1.ReadingService'],
        });
      for (const variables of chosen) await expectValues(dashboard, prometheus, viewOf(variables));
    }

    await expectSameCalls(prometheus);

    const rules = readAlertRules().filter(({ data }) => data[0]!.datasourceUid === 'tidemark-prometheus');
    expect(rules.length).toBeGreaterThan(0);
    for (const { uid, data } of rules)
      expect(countValues(await prometheus.query(data[0]!.model.expr!)), uid).toBeGreaterThan(0);
  });
});

async function expectValues({ panels }: Dashboard, prometheus: Prometheus, view: View): Promise<void> {
  for (const { expr, where } of panels.flatMap(({ targets }) => targets)) {
    const query = interpolatePromql(expr!, view, scrapeMs);
    const series = await prometheus.queryRange(query, view.fromMs, view.toMs, 1);
    if (emptyHere.some(([pattern]) => pattern.test(where))) continue;
    expect(countValues(series), where).toBeGreaterThan(0);
  }
}

/** Each side has counted what was called, the stream that is open among it. */
async function expectSameCalls(prometheus: Prometheus): Promise<void> {
  const shown = async (side: string, title: string) => {
    const { panels } = readDashboards().find(({ name }) => name === `grpc-${side}`)!;
    const { expr } = panels.find((panel) => panel.title === title)!.targets[0]!;
    const nowMs = Date.now();
    const view = { fromMs: nowMs - 60_000, toMs: nowMs, intervalMs: 30_000, variables: all };
    const series = await prometheus.query(interpolatePromql(expr!, view, scrapeMs));
    return Object.fromEntries(
      series
        .filter(({ values }) => values[0]![1] !== 0)
        .map(({ tags, values }) => [tags!.grpc_method ?? tags!.grpc_code ?? 'all', Number(values[0]![1])]),
    );
  };
  for (const side of ['server', 'client']) {
    // A scrape may have come in the middle of a call.
    await expect.poll(() => shown(side, 'In flight by method'), { timeout: 10_000 }).toEqual({ Watch: 1 });
    expect(Object.keys(await shown(side, 'Failed calls by code'))).toEqual(['InvalidArgument']);
    const { all: failed } = await shown(side, 'Failed');
    expect(failed).toBeGreaterThan(0.4);
    expect(failed).toBeLessThan(0.6);
  }
}

function isOfPrometheus({ panels }: Dashboard): boolean {
  return panels[0]!.targets[0]!.expr !== undefined;
}

/** A platform with readings, its flows beside it, one that calls it, and a Prometheus that has scraped all of them some times. */
async function startAll(): Promise<{ prometheus: Prometheus; caller: Caller }> {
  const platform = await startPlatform({ dataDir: await tempDir() });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  const flows = await startFlowsAlone({
    TIDEMARK_FLOWS_API_URL: platform.httpUrl,
    TIDEMARK_FLOWS_MQTT_URL: platform.mqttUrl,
  });
  const caller = await startCaller(platform.grpcPort);
  const prometheus = await startPrometheus(binary!, {
    tidemark: [new URL(platform.httpUrl).host],
    'tidemark-flows': [new URL(flows.httpUrl).host],
    edge: [caller.host],
  });
  const work = async () => {
    const sent = await fetch(`${platform.httpUrl}/api/v1/readings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sensor: 'a', temperature: 20 }),
    });
    expect(sent.status).toBe(200);
    await caller.call();
    // A rate wants some scrapes with work between them.
    return prometheus
      .query(
        'min(count_over_time(grpc_client_handled_total[1m])) >= 5 and min(count_over_time(tidemark_ingest_points_total{source="http"}[1m])) >= 5',
      )
      .catch(() => []);
  };
  await expect.poll(work, { timeout: 60_000, interval: 500 }).not.toEqual([]);
  return { prometheus, caller };
}

/** What the dashboard's variables offer when all is chosen. */
async function choicesOf({ variables }: Dashboard, prometheus: Prometheus, view: View) {
  const choices: Record<string, string[]> = {};
  for (const { name, type, query } of variables) {
    if (type !== 'query') continue;
    const [, selector, label] = /^label_values\((.*), (\w+)\)$/.exec((query as { query: string }).query)!;
    const series = await prometheus.query(
      `group by (${label}) (${interpolatePromql(selector!, view, scrapeMs)})`,
    );
    choices[name] = series.map(({ tags }) => tags![label!]!).toSorted();
  }
  return choices;
}
