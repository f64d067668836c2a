import { readAlertRules, readDashboards, readYaml } from '@tidemark/grafana/testing';
import { describe, expect, it } from 'vitest';

const dashboards = readDashboards();
/** What Grafana 9.4 ships with, and every version since. */
const shippedPanels = [
  'stat',
  'timeseries',
  'state-timeline',
  'table',
  'bargauge',
  'heatmap',
  'histogram',
  'geomap',
];
/** Of its reference, "InfluxQL feature support": what is used here, and not all that there is. */
const influxdb3 = {
  functions: ['count', 'distinct', 'sum', 'mean', 'min', 'max', 'last', 'first', 'now', 'time', 'fill'],
  metaqueries: ['TAG VALUES', 'TAG KEYS', 'FIELD KEYS', 'MEASUREMENTS', 'RETENTION POLICIES'],
};
const shippedSources = ['influxdb', 'prometheus', '__expr__'];

interface PanelJson {
  id: number;
  type: string;
  title: string;
  description?: string;
  links?: { url: string }[];
  datasource?: { type: string };
  fieldConfig?: { defaults: { unit?: string; noValue?: string } };
  targets?: { refId: string }[];
}

describe.each(dashboards)('$name', ({ name, json, panels, variables, annotations }) => {
  it('has a UID, a tag, and the navigation to all of them', () => {
    expect(json).toMatchObject({
      uid: `tidemark-${name}`,
      tags: ['tidemark'],
      links: [{ type: 'dashboards', tags: ['tidemark'], keepTime: true }],
    });
    expect(JSON.stringify(json)).not.toContain('inControlsMenu');
  });

  it('has panels that Grafana ships with, each with unit, description, no-data text and a link that leads somewhere', () => {
    const uids = dashboards.map((one) => one.json.uid);
    const all = (json.panels as PanelJson[]).filter(({ type }) => type !== 'row');
    expect(all.length).toBeGreaterThan(0);
    expect(new Set((json.panels as PanelJson[]).map(({ id }) => id)).size).toBe(
      (json.panels as PanelJson[]).length,
    );
    for (const { type, title, description, links, fieldConfig, targets, datasource } of all) {
      expect(shippedPanels, title).toContain(type);
      expect(description?.length, title).toBeGreaterThan(10);
      expect(fieldConfig?.defaults.unit, title).toBeTruthy();
      expect(fieldConfig?.defaults.noValue, title).toBeTruthy();
      expect(datasource?.type, title).toMatch(/influxdb|prometheus/);
      expect(uids, title).toContain(/^\/d\/([\w-]+)\?/.exec(links?.[0]?.url ?? '')?.[1]);
      expect(new Set(targets!.map(({ refId }) => refId)).size, title).toBe(targets!.length);
    }
  });

  it('asks only data sources that Grafana ships with, and no variable stands bare in a query', () => {
    const targets = [...panels.flatMap((panel) => panel.targets), ...annotations];
    for (const { where, datasource, query = '', expr = '' } of targets) {
      expect(shippedSources, where).toContain(datasource.type);
      for (const [all] of query.matchAll(/\$\{(?!__(from|to)\})[^}]*\}/g))
        expect(all, where).toMatch(/:regex\}$/);
      // The data source of Prometheus escapes them by itself, for just this place.
      for (const [all] of expr.matchAll(/.{3}\$\{.*?\}./g)) expect(all, where).toMatch(/^=~"\$\{\w+\}"$/);
      for (const [all] of query.matchAll(/.{2}\$\{\w+:regex\}.*?\//g)) expect(all, where).toMatch(/^\/\^/);
      expect(query, where).not.toMatch(/SLIMIT|SOFFSET/i);
    }
    for (const { type, includeAll, allValue } of variables)
      if (type === 'query') expect({ includeAll, allValue }).toEqual({ includeAll: true, allValue: '.*' });
  });
});

it('every statement is within what InfluxDB 3 documents of InfluxQL', () => {
  const targets = dashboards.flatMap(({ panels, annotations }) => [
    ...panels.flatMap((panel) => panel.targets),
    ...annotations,
  ]);
  const asked = dashboards.flatMap(({ variables }) => variables.map(({ query }) => String(query)));
  const statements = [...targets.map(({ query = '' }) => query), ...asked];
  const used = (pattern: RegExp) => [
    ...new Set(statements.flatMap((text) => Array.from(text.matchAll(pattern), ([, name]) => name))),
  ];
  expect(influxdb3.functions).toEqual(expect.arrayContaining(used(/\b([a-z_]+)\(/g)));
  expect(influxdb3.metaqueries).toEqual(expect.arrayContaining(used(/^SHOW ([A-Z ]+?) (?:FROM|WITH|ON)\b/g)));
  for (const text of statements) expect(text).not.toMatch(/\b(INTO|SLIMIT|SOFFSET|EXPLAIN|DROP|DELETE)\b/);
});

it('alert rules have UIDs of their own, none of which is deleted, and evaluate no threshold of a metric', () => {
  const rules = readAlertRules();
  const uids = rules.map(({ uid }) => uid);
  expect(new Set(uids).size).toBe(uids.length);
  for (const { uid, condition, data, annotations } of rules) {
    expect(data.map(({ refId }) => refId)).toContain(condition);
    expect(data.map(({ datasourceUid }) => datasourceUid)).toEqual([
      expect.stringMatching(/^tidemark(-prometheus)?$/),
      '__expr__',
      '__expr__',
    ]);
    expect(data[0]!.model.query ?? '', uid).not.toMatch(/"readings"/);
    // Grafana would take a dollar for a variable of its environment.
    expect(JSON.stringify(annotations)).not.toContain('$');
    expect(dashboards.map(({ json }) => json.uid)).toContain(annotations.__dashboardUid__);
  }
  for (const path of ['alerting/alerts.yaml', 'alerting/platform.yaml'])
    for (const { uid } of (readYaml(path).deleteRules ?? []) as { uid: string }[])
      expect(uids).not.toContain(uid);
});

it('what Tidemark knows already carries the label by which its webhook leaves it out', () => {
  const [alerts] = readAlertRules();
  expect(alerts?.labels).toEqual({ origin: 'tidemark' });
});

it('the policy names the contact point, and the data sources have the UIDs that are referred to', () => {
  const [{ receiver }] = readYaml('alerting/policy.yaml').policies as [{ receiver: string }];
  expect(readYaml('alerting/contact.yaml').contactPoints).toMatchObject([{ name: receiver }]);
  const uidsIn = (path: string) => (readYaml(path).datasources as { uid: string }[]).map(({ uid }) => uid);
  expect(uidsIn('datasources/store.yaml')).toEqual(['tidemark']);
  expect(uidsIn('datasources/prometheus.yaml')).toEqual(['tidemark-prometheus']);
});
