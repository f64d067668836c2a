import {
  countValues,
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
import { startPrometheus } from './prometheus.ts';

const binary = findProgram('prometheus');
const scrapeMs = 1000;

/** Targets that have nothing to show here, and why. */
const emptyHere = [[/^platform: Notifications: A$/, 'no channel is configured']] as const;

describe.skipIf(!requireTool('prometheus', binary))('with a real Prometheus', () => {
  it('every target of Platform, beside flows in a process of their own, and every rule about its health, has values', async () => {
    const platform = await startPlatform({ dataDir: await tempDir() });
    onTestFinished(async () => void (await platform.end('SIGTERM')));
    const flows = await startFlowsAlone({
      TIDEMARK_FLOWS_API_URL: platform.httpUrl,
      TIDEMARK_FLOWS_MQTT_URL: platform.mqttUrl,
    });
    const prometheus = await startPrometheus(binary!, {
      tidemark: [new URL(platform.httpUrl).host],
      'tidemark-flows': [new URL(flows.httpUrl).host],
    });
    const fromMs = Date.now();
    const post = async () => {
      const sent = await fetch(`${platform.httpUrl}/api/v1/readings`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ sensor: 'a', temperature: 20 }),
      });
      expect(sent.status).toBe(200);
      return prometheus
        .query('count_over_time(tidemark_ingest_points_total{source="http"}[1m]) >= 4')
        .catch(() => []);
    };
    // A rate wants some scrapes with readings between them.
    await expect.poll(post, { timeout: 60_000, interval: 500 }).not.toEqual([]);

    const { panels } = readDashboards().find(({ name }) => name === 'platform')!;
    const view: View = { fromMs, toMs: Date.now() + 1000, intervalMs: 1000, variables: {} };
    for (const { expr, where } of panels.flatMap(({ targets }) => targets)) {
      const query = interpolatePromql(expr!, view, scrapeMs);
      const series = await prometheus.queryRange(query, view.fromMs, view.toMs, 1);
      if (emptyHere.some(([pattern]) => pattern.test(where))) continue;
      expect(countValues(series), where).toBeGreaterThan(0);
    }

    const rules = readAlertRules().filter(({ data }) => data[0]!.datasourceUid === 'tidemark-prometheus');
    expect(rules.length).toBeGreaterThan(0);
    for (const { uid, data } of rules)
      expect(countValues(await prometheus.query(data[0]!.model.expr!)), uid).toBeGreaterThan(0);
  });
});
