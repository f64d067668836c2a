import {
  askStore,
  type Chosen,
  type Dashboard,
  interpolateInfluxql,
  readAlertRules,
  readDashboards,
  type Series,
  type Store,
  type Variable,
  type View,
  valuesOf,
} from '@tidemark/grafana/testing';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { onBothStores } from '../support/both-stores.ts';
import { startPlatformInProcess } from '../support/platform-in-process.ts';
import {
  awkwardCamera,
  awkwardMetric,
  awkwardSensors,
  awkwardType,
  fill,
  plainSensors,
} from './demo-data.ts';

const dashboards = readDashboards().filter(({ panels }) => panels[0]!.targets[0]!.query !== undefined);
const hourMs = 3_600_000;

/** Targets that have nothing to show on the demo, and why. */
const emptyOnDemo = new Map([['alerts: Silenced: A', 'nothing is silenced there']]);

onBothStores((newStore) => {
  let store: Store;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    const env = await newStore();
    const platform = await startPlatformInProcess(env);
    stop = platform.stop;
    const httpUrl = `http://127.0.0.1:${platform.address.httpPort}`;
    store = storeOf(env, platform.address.httpPort);
    await fill(httpUrl, store);
  });
  afterAll(async () => {
    await stop();
    vi.restoreAllMocks();
  });

  const viewOf = (variables: View['variables'], backMs = 0): View => ({
    fromMs: Date.now() - backMs - 3 * hourMs,
    toMs: Date.now() - backMs,
    intervalMs: 60_000,
    variables,
  });

  /** What a variable offers, with others chosen. */
  async function offered({ query }: Variable, variables: View['variables']): Promise<string[]> {
    const series = await askStore(store, interpolateInfluxql(String(query), viewOf(variables)));
    const values = series.flatMap(({ values }) => values.map((row) => String(row[1])));
    return values.toSorted();
  }

  const chooseAll = { location: 'all', sensor: 'all', metric: 'all', type: 'all' } as const;

  it('variables offer what there is, chained', async () => {
    const { variables } = dashboards.find(({ name }) => name === 'sensor')!;
    const named = Object.fromEntries(variables.map((variable) => [variable.name, variable]));
    expect(await offered(named.location!, {})).toEqual(['hall', 'yard']);
    const all = [...plainSensors, ...awkwardSensors].toSorted();
    expect(await offered(named.sensor!, { location: 'all' })).toEqual(all);
    expect(await offered(named.sensor!, { location: ['hall', 'yard'] })).toEqual(all);
    expect(await offered(named.sensor!, { location: ['nowhere'] })).toEqual([]);
    const metricsOf = (location: Chosen, sensor: Chosen) => offered(named.metric!, { location, sensor });
    const common = ['humidity', 'pressure', 'temperature'];
    expect(await metricsOf('all', 'all')).toEqual([...common, 'voltage', awkwardMetric].toSorted());
    expect(await metricsOf(['hall'], 'all')).toEqual([...common, awkwardMetric].toSorted());
    expect(await metricsOf('all', ['greenhouse-3', 'nobody'])).toEqual([...common, 'voltage']);
    for (const sensor of awkwardSensors) expect(await metricsOf(['hall', 'yard'], [sensor])).toEqual(common);
    expect(await metricsOf('all', ['nobody'])).toEqual([]);
  });

  it('a metric with quotes, backslashes and what regular expressions mean is drawn', async () => {
    const { panels } = dashboards.find(({ name }) => name === 'sensor')!;
    const { targets } = panels.find(({ targets: [first] }) => first?.alias === '$tag_sensor $col')!;
    const view = viewOf({ location: 'all', sensor: ['greenhouse-1'], metric: [awkwardMetric] });
    const series = await askStore(store, interpolateInfluxql(targets[0]!.query!, view));
    expect(series.flatMap(({ values }) => values.map((row) => row[1]))).toEqual([400]);
  });

  it('the variables of Travellers offer cameras, and the types that they have seen', async () => {
    const { variables } = dashboards.find(({ name }) => name === 'travellers')!;
    const named = Object.fromEntries(variables.map((variable) => [variable.name, variable]));
    const cameras = ['gate', awkwardCamera];
    expect(await offered(named.sensor!, {})).toEqual(cameras);
    const types = [awkwardType, 'cyclist', 'pedestrian'];
    for (const camera of cameras) expect(await offered(named.type!, { sensor: [camera] })).toEqual(types);
    expect(await offered(named.type!, { sensor: ['nobody'] })).toEqual([]);
  });

  it('a service that is down is no sensor in alert', async () => {
    const { panels } = dashboards.find(({ name }) => name === 'fleet')!;
    const shown = async (title: string) => {
      const { targets } = panels.find((panel) => panel.title === title)!;
      const [series] = await askStore(store, interpolateInfluxql(targets[0]!.query!, viewOf(chooseAll)));
      return series?.values[0]?.[1];
    };
    expect(await shown('In alert')).toBe(1);
    expect(await shown('Services down')).toBe(1);
  });

  it('Travellers counts each traveller once, and shows speeds as they were', async () => {
    const { panels } = dashboards.find(({ name }) => name === 'travellers')!;
    const shown = async (title: string, type: Chosen) => {
      const { targets } = panels.find((panel) => panel.title === title)!;
      const view = viewOf({ sensor: ['gate', awkwardCamera], type });
      const [series] = await askStore(store, interpolateInfluxql(targets[0]!.query!, view));
      return series?.values[0]?.[1];
    };
    expect(await shown('Travellers', 'all')).toBe(3);
    expect(await shown('Travellers', [awkwardType, 'cyclist'])).toBe(2);
    expect(await shown('Positions', [awkwardType])).toBe(40);
    expect(await shown('Highest speed', [awkwardType, 'cyclist'])).toBeCloseTo(12);
    expect(await shown('Mean speed', ['pedestrian'])).toBeCloseTo(1.4);
  });

  describe.each(dashboards)('$name', ({ panels, annotations }: Dashboard) => {
    it.each(panels)('$title', async ({ targets, title }) => {
      const backMs = title.endsWith('the week before') ? 7 * 24 * hourMs : 0;
      const view = viewOf({ ...chooseAll, metric: ['temperature'] }, backMs);
      for (const [target, count] of await valuesOf(store, targets, view)) {
        if (emptyOnDemo.has(target.where)) expect(count, target.where).toBe(0);
        else expect(count, target.where).toBeGreaterThan(0);
      }
    });

    it.runIf(annotations.length > 0).each(annotations)('$where', async (target) => {
      const counts = await valuesOf(store, [target], viewOf(chooseAll));
      expect(counts.get(target)).toBeGreaterThan(0);
    });
  });

  it.each(awkwardSensors)('a sensor called %s shows its own readings and no others', async (sensor) => {
    const { panels } = dashboards.find(({ name }) => name === 'sensor')!;
    const rows = panels.find(({ title }) => title === 'Newest readings')!.targets[0]!;
    for (const chosen of [[sensor], [sensor, 'greenhouse-1']]) {
      const view = viewOf({
        location: ['hall', 'yard'],
        sensor: chosen,
        metric: ['temperature', 'humidity'],
      });
      const series = await askStore(store, interpolateInfluxql(rows.query!, view));
      expect(sensorsOf(series)).toEqual(chosen.toSorted());
      for (const { targets } of panels) await valuesOf(store, targets, view);
    }
  });

  const harmless: [string, Record<string, Chosen>][] = [
    ['a metric that is text', { metric: ['state_text'] }],
    ['a metric with quotes and backslashes', { metric: ['a"b\\', "c'd", '/x/', 'temperature") FROM x --'] }],
    ['a sensor that is not there', { sensor: ['nobody'], metric: ['temperature'] }],
  ];

  it.each(harmless)('%s breaks no panel', async (_, chosen) => {
    for (const { panels } of dashboards)
      for (const { targets } of panels) await valuesOf(store, targets, viewOf({ ...chooseAll, ...chosen }));
  });

  it('a text metric is among the newest readings, and every other panel of it is empty', async () => {
    const { panels } = dashboards.find(({ name }) => name === 'sensor')!;
    for (const { title, targets } of panels) {
      const counts = await valuesOf(store, targets, viewOf({ ...chooseAll, metric: ['state'] }));
      const values = [...counts.values()].reduce((sum, count) => sum + count, 0);
      if (title === 'Newest readings') expect(values).toBeGreaterThan(0);
    }
  });

  it('a store that holds nothing breaks no panel', async () => {
    const env = await newStore();
    const platform = await startPlatformInProcess(env);
    onTestFinished(platform.stop);
    const empty = storeOf(env, platform.address.httpPort);
    for (const { panels, annotations } of dashboards)
      for (const targets of [...panels.map((panel) => panel.targets), annotations])
        for (const count of (await valuesOf(empty, targets, viewOf(chooseAll))).values())
          expect(count).toBe(0);
  });

  it('alert rules that read the store find what fires, by rule and sensor', async () => {
    const [rule] = readAlertRules().filter(({ data }) => data[0]!.datasourceUid === 'tidemark');
    const { model, relativeTimeRange } = rule!.data[0]!;
    const view = { ...viewOf({}), fromMs: Date.now() - relativeTimeRange.from * 1000 };
    const series = await askStore(store, interpolateInfluxql(model.query!, view));
    const states = series.map(({ tags, values }) => [tags!.rule, tags!.sensor, values[0]![1]]);
    expect(states.toSorted()).toEqual([
      ['hot', 'greenhouse-1', 1],
      ['hot', 'greenhouse-2', 0],
      ['odd', 'greenhouse-1', 1],
      ['service-down', 'mailer', 1],
    ]);
  });
});

it('of a store that cannot be reached the data source gets a reason, in the form in which it shows one', async () => {
  const env = {
    TIDEMARK_STORE: 'influxdb',
    INFLUX_URL: 'http://127.0.0.1:9',
    INFLUX_TOKEN: 'none',
    INFLUX_ORG: 'none',
    INFLUX_BUCKET: 'tidemark',
  };
  const platform = await startPlatformInProcess(env);
  onTestFinished(platform.stop);
  const url = `http://127.0.0.1:${platform.address.httpPort}/query?db=tidemark&q=SHOW%20MEASUREMENTS`;
  const response = await fetch(url);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ error: expect.stringMatching(/InfluxDB|store/) });
});

function storeOf(env: Record<string, string>, httpPort: number): Store {
  return env.INFLUX_URL === undefined
    ? { url: `http://127.0.0.1:${httpPort}`, database: 'tidemark', token: undefined }
    : { url: env.INFLUX_URL, database: env.INFLUX_BUCKET!, token: env.INFLUX_TOKEN };
}

function sensorsOf(series: readonly Series[]): unknown[] {
  const found = series.flatMap(({ columns, values }) => values.map((row) => row[columns.indexOf('sensor')]));
  return [...new Set(found)].toSorted();
}
