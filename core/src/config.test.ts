import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { listSettings, loadConfig } from './config.ts';
import { TidemarkError } from './errors.ts';

async function yamlFile(text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-config-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const path = join(directory, 'tidemark.yaml');
  await writeFile(path, text);
  return path;
}

function issuesOf(load: () => unknown): string[] {
  try {
    load();
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'config_invalid')
      return error.issues.map(({ path }) => path);
    throw error;
  }
  return [];
}

it('has a default for everything', () => {
  expect(loadConfig()).toMatchObject({
    host: '127.0.0.1',
    mqtt: { port: 1883 },
    http: { port: 8080 },
    store: { kind: 'embedded' },
  });
});

it('takes YAML, over it the environment, over both what is given in code', async () => {
  const file = await yamlFile('host: 127.0.0.2\nmqtt: {port: 1}\nhttp: {port: 2}\ninflux: {bucket: a}\n');
  const env = {
    TIDEMARK_MQTT_PORT: '3',
    TIDEMARK_HTTP_PORT: '4',
    TIDEMARK_ALLOWED_HOSTS: 'a.example, b.example',
    HOME: '/',
  };
  const config = loadConfig({ file, env, overrides: { 'http.port': 5 } });
  expect(config).toMatchObject({ host: '127.0.0.2', mqtt: { port: 3 }, influx: { bucket: 'a' } });
  expect(config.http).toMatchObject({ port: 5, allowedHosts: ['a.example', 'b.example'] });
});

it('tells all faults at once, each with its path', async () => {
  const file = await yamlFile('hots: x\nmqtt: {port: 70000, prot: 1}\nstore: {kind: mysql}\n');
  const env = { TIDEMARK_BATCH_POINTS: '0', TIDEMARK_NONSENSE: '1' };
  expect(issuesOf(() => loadConfig({ file, env })).sort()).toEqual(
    ['TIDEMARK_NONSENSE', 'hots', 'ingest.batchPoints', 'mqtt.port', 'mqtt.prot', 'store.kind'].sort(),
  );
});

it.each(['mqtt: [', '- a\n- b\n', 'just text'])('refuses %j as a configuration', async (text) => {
  const file = await yamlFile(text);
  expect(() => loadConfig({ file })).toThrow(TidemarkError);
});

it('refuses a named file that is not there, and takes an empty one', async () => {
  expect(() => loadConfig({ file: '/nonexistent/tidemark.yaml' })).toThrow(/cannot read/);
  expect(loadConfig({ file: await yamlFile('') })).toEqual(loadConfig());
});

it('knows each setting by one path and one variable', () => {
  const settings = listSettings();
  expect(settings.length).toBeGreaterThan(20);
  for (const key of ['path', 'env'] as const)
    expect(new Set(settings.map((setting) => setting[key])).size).toBe(settings.length);
  expect(settings.filter(({ description }) => description === '')).toEqual([]);
});

it.each([
  ['broker,ingest,alerts,api,flows', []],
  ['api, alerts, ingest, broker', []],
  ['ingest', ['roles']],
  ['broker,ingest,flows', ['roles']],
  ['flows', ['flows.apiUrl', 'flows.mqttUrl']],
  ['', []],
])('takes the roles %j, or says what is wrong with %j', (roles, issues) => {
  expect(issuesOf(() => loadConfig({ env: { TIDEMARK_ROLES: roles } }))).toEqual(issues);
});

it('takes flows alone, beside another platform', () => {
  const env = {
    TIDEMARK_ROLES: 'flows',
    TIDEMARK_FLOWS_API_URL: 'https://tidemark.example',
    TIDEMARK_FLOWS_MQTT_URL: 'mqtts://tidemark.example:8883',
    TIDEMARK_FLOWS_EXAMPLES: 'false',
  };
  expect(loadConfig({ env })).toMatchObject({ roles: ['flows'], flows: { port: 1880, examples: false } });
});

it('where MQTT and HTTP have free ports, gRPC and flows have them too, unless set', () => {
  const ports = (env: Record<string, string>) => {
    const { grpc, flows } = loadConfig({ env });
    return [grpc.port, flows.port];
  };
  const free = { TIDEMARK_MQTT_PORT: '0', TIDEMARK_HTTP_PORT: '0' };
  expect(ports({})).toEqual([50_051, 1880]);
  expect(ports({ TIDEMARK_MQTT_PORT: '0' })).toEqual([50_051, 1880]);
  expect(ports(free)).toEqual([0, 0]);
  expect(ports({ ...free, TIDEMARK_GRPC_PORT: '5', TIDEMARK_FLOWS_PORT: '6' })).toEqual([5, 6]);
});
