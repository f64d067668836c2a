import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { asVariable, PROMETHEUS_UID, prometheusRef, STORE_UID, storeRef } from './targets.ts';

/** Which InfluxDB data source is asked; the provisioned one unless somebody chooses another. */
export function storeVariable() {
  return new dashboard.DatasourceVariableBuilder('store')
    .label('Store')
    .type('influxdb')
    .current({ text: 'Tidemark', value: STORE_UID });
}

export function prometheusVariable() {
  return new dashboard.DatasourceVariableBuilder('prometheus')
    .label('Prometheus')
    .type('prometheus')
    .current({ text: 'Prometheus', value: PROMETHEUS_UID });
}

export function locationVariable() {
  return listVariable(
    'location',
    'Location',
    'SHOW TAG VALUES FROM "readings" WITH KEY = "location"',
  ).current(all);
}

/** Sensors that have reported from the locations chosen. */
export function sensorVariable() {
  return listVariable(
    'sensor',
    'Sensor',
    `SHOW TAG VALUES FROM "readings" WITH KEY = "sensor" WHERE ${isIn('location')}`,
  );
}

export function travellerSensorVariable() {
  return listVariable('sensor', 'Camera', 'SHOW TAG VALUES FROM "travellers" WITH KEY = "sensor"').current(
    all,
  );
}

/** Types of travellers that the cameras chosen have seen. */
export function travellerTypeVariable() {
  return listVariable(
    'type',
    'Type',
    `SHOW TAG VALUES FROM "travellers" WITH KEY = "type" WHERE ${isIn('sensor')}`,
  ).current(all);
}

/** Numbers that the sensors chosen report; texts are among the newest readings. */
export function metricVariable() {
  return listVariable(
    'metric',
    'Metric',
    `SHOW TAG VALUES FROM "sensor_metrics" WITH KEY = "metric" WHERE ${isIn('location')} AND ${isIn('sensor')}`,
  ).current(all);
}

/** A condition: the tag is one of those chosen. `.*`, which `All` stands for, takes points without the tag as well. */
export function isIn(tag: 'location' | 'sensor' | 'metric' | 'type'): string {
  return `"${tag}" =~ /^${asVariable(tag, 'regex')}$/`;
}

const all = { text: 'All', value: '$__all' };

/** Values of a label; `label_values(metric, label)`. */
export function prometheusListVariable(name: string, label: string, query: string) {
  return chosenFrom(name, label)
    .datasource(prometheusRef)
    .query({ query, refId: 'StandardVariableQuery' })
    .definition(query)
    .current(all);
}

function listVariable(name: string, label: string, query: string) {
  return chosenFrom(name, label).datasource(storeRef).query(query);
}

function chosenFrom(name: string, label: string) {
  return new dashboard.QueryVariableBuilder(name)
    .label(label)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.NaturalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*');
}
