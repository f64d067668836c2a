import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { type DashboardName, dashboardTitles, navigation, TAG, uidOf } from './links.ts';

interface DashboardOptions {
  name: DashboardName;
  description: string;
  /** How far back it looks at first, such as `now-6h`. */
  from: string;
  refresh: string;
}

/** What all dashboards have: UID, tag, navigation, time and refreshing. */
export function newDashboard({ name, description, from, refresh }: DashboardOptions) {
  return new dashboard.DashboardBuilder(dashboardTitles[name])
    .uid(uidOf(name))
    .description(description)
    .tags([TAG])
    .link(navigation())
    .time({ from, to: 'now' })
    .refresh(refresh)
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .editable();
}

/** The schema of Grafana 9.4, the oldest that must load them; newer ones migrate it. */
const SCHEMA_VERSION = 37;

/** The dashboard as JSON that Grafana loads from a file. */
export function toJson(builder: dashboard.DashboardBuilder): string {
  const built = builder.build();
  const panels = built.panels?.map((panel, index) => ({ ...panel, id: index + 1 }));
  // The SDK's default would put the navigation and the switches of annotations behind a menu.
  const json = { ...built, panels, schemaVersion: SCHEMA_VERSION };
  return `${JSON.stringify(json, (key, value: unknown) => (key === 'placement' && value === 'inControlsMenu' ? undefined : value), 2)}\n`;
}
