import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const folder = fileURLToPath(new URL('../provisioning', import.meta.url));

export interface Target {
  alias?: string;
  legendFormat?: string;
  hide?: boolean;
  /** Where it stands, for people. */
  where: string;
  refId: string;
  datasource: { type: string };
  query?: string;
  expr?: string;
  type?: string;
  expression?: string;
  isTable: boolean;
}

interface TransformationOptions {
  /** Of `renameByRegex`. */
  regex?: string;
  renamePattern?: string;
  /** Of `organize`. */
  excludeByName?: Record<string, boolean>;
  renameByName?: Record<string, string>;
  /** Of `groupBy`. */
  fields?: Record<
    string,
    { operation: 'groupby' | 'aggregate'; aggregations: ('min' | 'max' | 'mean' | 'count')[] }
  >;
}

export interface Panel {
  where: string;
  title: string;
  type: string;
  /** The least interval, such as `1m`. */
  interval?: string;
  maxDataPoints?: number;
  gridPos: { x: number; y: number; w: number; h: number };
  noValue: string;
  transformations?: { id: string; options: TransformationOptions }[];
  targets: Target[];
}

export interface Variable {
  name: string;
  type: string;
  /** An object where Prometheus is asked. */
  query: string | { query: string };
  includeAll?: boolean;
  allValue?: string;
}

export interface Dashboard {
  name: string;
  json: Record<string, unknown> & { uid: string; title: string; tags: string[]; schemaVersion: number };
  panels: Panel[];
  variables: Variable[];
  annotations: Target[];
}

interface RawTarget extends Omit<Target, 'where' | 'isTable'> {
  resultFormat?: string;
}

interface RawPanel extends Pick<Panel, 'interval' | 'maxDataPoints' | 'gridPos' | 'transformations'> {
  fieldConfig?: { defaults: { noValue?: string } };
  type: string;
  title: string;
  targets?: RawTarget[];
}

interface RawDashboard {
  panels: RawPanel[];
  templating?: { list: Variable[] };
  annotations?: { list: { name: string; target: RawTarget; datasource: { type: string } }[] };
}

/** The dashboards as Grafana reads them from the folder. */
export function readDashboards(): Dashboard[] {
  return readdirSync(`${folder}/dashboards/tidemark`).map((file) => {
    const name = file.replace('.json', '');
    const json = JSON.parse(readFileSync(`${folder}/dashboards/tidemark/${file}`, 'utf8')) as RawDashboard;
    const toTarget = (where: string, raw: RawTarget): Target => ({
      ...raw,
      where,
      isTable: raw.resultFormat === 'table',
    });
    return {
      name,
      json: json as unknown as Dashboard['json'],
      panels: json.panels
        .filter(({ type }) => type !== 'row')
        .map(({ type, title, targets = [], fieldConfig, ...rest }) => ({
          ...rest,
          noValue: fieldConfig?.defaults.noValue ?? '',
          where: `${name}: ${title}`,
          type,
          title,
          targets: targets.map((raw) => toTarget(`${name}: ${title}: ${raw.refId}`, raw)),
        })),
      variables: json.templating?.list ?? [],
      annotations: (json.annotations?.list ?? []).map((one) =>
        toTarget(`${name}: annotation ${one.name}`, { ...one.target, datasource: one.datasource }),
      ),
    };
  });
}

export interface AlertRule {
  uid: string;
  title: string;
  condition: string;
  data: {
    refId: string;
    datasourceUid: string;
    relativeTimeRange: { from: number; to: number };
    model: { query?: string; expr?: string; type?: string; expression?: string };
  }[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** A file of provisioning, read as YAML. */
export function readYaml(path: string): Record<string, unknown> {
  return parse(readFileSync(`${folder}/${path}`, 'utf8')) as Record<string, unknown>;
}

export function readAlertRules(): AlertRule[] {
  return ['alerting/alerts.yaml', 'alerting/platform.yaml']
    .flatMap((path) => readYaml(path).groups as { rules: AlertRule[] }[])
    .flatMap(({ rules }) => rules);
}
