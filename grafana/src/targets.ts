import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';

/** A reference to a dashboard's variable, in Grafana's own form. */
export function asVariable(name: string, format?: string): string {
  return `$\u007b${format === undefined ? name : `${name}:${format}`}}`;
}

/** UIDs of the provisioned data sources. */
export const STORE_UID = 'tidemark';
export const PROMETHEUS_UID = 'tidemark-prometheus';

/** The store and Prometheus as the dashboards' variables name them, so that people can choose their own. */
export const storeRef: DataSourceRef = { type: 'influxdb', uid: asVariable('store') };
export const prometheusRef: DataSourceRef = { type: 'prometheus', uid: asVariable('prometheus') };
const expressionRef: DataSourceRef = { type: '__expr__', uid: '__expr__' };

/** A query in InfluxQL, as Grafana's own InfluxDB data source keeps it. */
interface InfluxTarget extends Dataquery {
  refId: string;
  datasource: DataSourceRef;
  query: string;
  rawQuery: true;
  resultFormat: 'time_series' | 'table';
  alias?: string;
  hide?: boolean;
}

interface InfluxOptions {
  refId?: string;
  /** How series are called: `$tag_<tag>`, `$col`, or a text. */
  alias?: string;
  isTable?: boolean;
  /** Only asked for by expressions. */
  isHidden?: boolean;
}

/**
 * A target in the InfluxQL that every store answers. Variables stand in it only as `${name:regex}` inside of
 * `/^…$/`: that form alone leaves no character of a sensor's id its meaning.
 */
export function influx(query: string, options: InfluxOptions = {}): Builder<Dataquery> {
  const { refId = 'A', alias, isTable = false, isHidden = false } = options;
  const target: InfluxTarget = {
    refId,
    datasource: storeRef,
    query,
    rawQuery: true,
    resultFormat: isTable ? 'table' : 'time_series',
    ...(alias === undefined ? {} : { alias }),
    ...(isHidden ? { hide: true } : {}),
    _implementsDataqueryVariant: () => {},
  };
  return { build: () => target };
}

/** A query of Prometheus over the dashboard's time. */
export function promql(expr: string, { refId = 'A', legend = '' } = {}): Builder<Dataquery> {
  return new prometheus.DataqueryBuilder()
    .datasource(prometheusRef)
    .refId(refId)
    .expr(expr)
    .range()
    .legendFormat(legend);
}

/** The last value of each series of another target, computed by Grafana. */
export function lastOf(target: string, refId: string): Builder<Dataquery> {
  return expression({ refId, type: 'reduce', expression: target, reducer: 'last', hide: true });
}

/** Arithmetic over other targets, whose series meet by their labels, computed by Grafana. */
export function math(formula: string, refId: string): Builder<Dataquery> {
  return expression({ refId, type: 'math', expression: formula });
}

function expression(model: Record<string, unknown>): Builder<Dataquery> {
  const target = { datasource: expressionRef, ...model, _implementsDataqueryVariant: () => {} };
  return { build: () => target };
}
