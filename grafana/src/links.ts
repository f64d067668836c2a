import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { asVariable } from './targets.ts';

/** Titles of the dashboards by the name that their UID and file are made of. */
export const dashboardTitles = {
  fleet: 'Fleet',
  sensor: 'Sensor',
  travellers: 'Travellers',
  alerts: 'Alerts',
  'data-quality': 'Data quality',
  platform: 'Platform',
  'grpc-server': 'gRPC server',
  'grpc-client': 'gRPC client',
} as const;

export type DashboardName = keyof typeof dashboardTitles;

/** The tag that all dashboards carry, by which the navigation finds them. */
export const TAG = 'tidemark';

export function uidOf(name: DashboardName): string {
  return `tidemark-${name}`;
}

/** A panel's link to a dashboard; the time goes along. */
export function linkTo(name: DashboardName) {
  return new dashboard.DashboardLinkBuilder(`Open ${dashboardTitles[name]}`)
    .type(dashboard.DashboardLinkType.Link)
    .url(`/d/${uidOf(name)}?${asVariable('__url_time_range')}`);
}

/** A link from a cell that holds a sensor's id, or from a series that is called by it, to the sensor. */
export function sensorLink(value: '__value.raw' | '__field.labels.sensor') {
  return new dashboard.DashboardLinkBuilder('Show this sensor')
    .type(dashboard.DashboardLinkType.Link)
    .url(
      `/d/${uidOf('sensor')}?${asVariable('__url_time_range')}&var-location=$__all&var-sensor=${asVariable(value, 'percentencode')}`,
    );
}

/** Links to all dashboards, in a row above every one of them. */
export function navigation() {
  return new dashboard.DashboardLinkBuilder('Tidemark')
    .type(dashboard.DashboardLinkType.Dashboards)
    .tags([TAG])
    .asDropdown(false)
    .keepTime(true)
    .includeVars(false);
}
