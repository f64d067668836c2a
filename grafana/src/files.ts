import { toJson } from './dashboard.ts';
import { alerts } from './dashboards/alerts.ts';
import { dataQuality } from './dashboards/data-quality.ts';
import { fleet } from './dashboards/fleet.ts';
import { platform } from './dashboards/platform.ts';
import { sensor } from './dashboards/sensor.ts';
import type { DashboardName } from './links.ts';

/** The folder that Grafana is given for provisioning. */
export const PROVISIONING = new URL('../provisioning/', import.meta.url);

const dashboards = { fleet, sensor, alerts, 'data-quality': dataQuality, platform };

/** Every generated file: its path in the folder of provisioning, and its text. */
export function generatedFiles(): Map<string, string> {
  const names = Object.keys(dashboards) as DashboardName[];
  return new Map(names.map((name) => [`dashboards/tidemark/${name}.json`, toJson(dashboards[name]())]));
}
