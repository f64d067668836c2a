import { stringify } from 'yaml';
import { toJson } from './dashboard.ts';
import { alerts } from './dashboards/alerts.ts';
import { dataQuality } from './dashboards/data-quality.ts';
import { fleet } from './dashboards/fleet.ts';
import { grpcClient, grpcServer } from './dashboards/grpc.ts';
import { platform } from './dashboards/platform.ts';
import { sensor } from './dashboards/sensor.ts';
import { travellers } from './dashboards/travellers.ts';
import type { DashboardName } from './links.ts';
import { alertsRules, contactPoint, platformRules, policy } from './provisioning/alerting.ts';
import { prometheusDataSource, storeDataSource } from './provisioning/data-sources.ts';
import { dashboardProvider } from './provisioning/provider.ts';

const provisioning = {
  'datasources/store.yaml': storeDataSource,
  'datasources/prometheus.yaml': prometheusDataSource,
  'dashboards/tidemark.yaml': dashboardProvider,
  'alerting/alerts.yaml': alertsRules,
  'alerting/platform.yaml': platformRules,
  'alerting/contact.yaml': contactPoint,
  'alerting/policy.yaml': policy,
};

const dashboards = {
  fleet,
  sensor,
  travellers,
  alerts,
  'data-quality': dataQuality,
  platform,
  'grpc-server': grpcServer,
  'grpc-client': grpcClient,
};

/** Every generated file: its path in the folder of provisioning, and its text. */
export function generatedFiles(): Map<string, string> {
  const names = Object.keys(dashboards) as DashboardName[];
  const yaml = Object.entries(provisioning).map(([path, make]): [string, string] => [path, toYaml(make())]);
  const json = names.map((name): [string, string] => [
    `dashboards/tidemark/${name}.json`,
    toJson(dashboards[name]()),
  ]);
  return new Map([...yaml, ...json]);
}

function toYaml(document: unknown): string {
  return `# Made by \`npm run dashboards\`; $ and braces are filled in by Grafana, from its environment.\n${stringify(document, { lineWidth: 0 })}`;
}
