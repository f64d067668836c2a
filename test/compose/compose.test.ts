import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GRAFANA_IMAGE, grafanaSettings } from '@tidemark/grafana';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { findProgram } from '../support/find-program.ts';
import { runTidemark } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The one that `.ci/install-compose` builds, or an installed one. */
const compose = process.env.COMPOSE_BIN ?? findProgram('docker-compose');
const promtool = findProgram('promtool');

interface Service {
  image: string;
  build?: unknown;
  user?: string;
  read_only?: boolean;
  mem_limit?: string;
  restart?: string;
  cap_drop?: string[];
  profiles?: string[];
  environment?: Record<string, string>;
  healthcheck?: { disable?: boolean; test?: string[] };
  depends_on?: Record<string, { condition: string }>;
  ports?: { host_ip?: string; target: number }[];
  volumes?: { type: string; source: string; target: string; read_only?: boolean }[];
}

describe.skipIf(!requireTool('COMPOSE_BIN', compose))(
  'docker-compose.yml, as Docker Compose reads it',
  () => {
    const config = (...args: string[]): { services: Record<string, Service>; volumes: object } =>
      JSON.parse(
        execFileSync(
          compose!,
          ['-f', join(root, 'docker-compose.yml'), ...args, 'config', '--format', 'json'],
          {
            encoding: 'utf8',
            env: { PATH: process.env.PATH },
          },
        ),
      );
    const { services, volumes } =
      compose === undefined ? { services: {}, volumes: {} } : config('--profile', 'demo');

    it('has the services, the simulated sensors only where they are asked for', () => {
      const all = ['grafana', 'influxdb', 'init', 'node-red', 'prometheus', 'tidemark'];
      expect(Object.keys(config().services).toSorted()).toEqual(all);
      expect(Object.keys(services).toSorted()).toEqual([...all, 'sensors'].toSorted());
    });

    it.each(Object.keys(services))(
      '%s is pinned, bounded, without privileges, and says how it does',
      (name) => {
        const {
          image,
          build,
          user,
          read_only,
          mem_limit,
          cap_drop,
          healthcheck,
          ports = [],
        } = services[name]!;
        expect(image).toMatch(/^[\w./-]+:v?\d+\.\d+\.\d+$/);
        // Our own image names its user itself.
        expect(build !== undefined || /^[1-9]\d*:\d+$/.test(user ?? '')).toBe(true);
        expect(read_only === true || name === 'influxdb').toBe(true);
        expect(cap_drop).toEqual(['ALL']);
        const isShort = name === 'init';
        expect(isShort || Number(mem_limit) > 0).toBe(true);
        // Our image asks its process for `/ready`.
        const isOwn = name === 'tidemark' || name === 'node-red';
        expect(isOwn || healthcheck?.disable === true || healthcheck?.test !== undefined).toBe(true);
        for (const { host_ip } of ports) expect(host_ip).toBe('127.0.0.1');
      },
    );

    it('starts in order: secrets, store, platform, then who needs it', () => {
      const waits = Object.fromEntries(
        Object.entries(services).map(([name, { depends_on = {} }]) => [
          name,
          Object.entries(depends_on).map(
            ([on, { condition }]) => `${on} ${condition.replace('service_', '')}`,
          ),
        ]),
      );
      expect(waits).toEqual({
        init: [],
        influxdb: ['init completed_successfully'],
        tidemark: ['influxdb healthy'],
        'node-red': ['tidemark healthy'],
        prometheus: ['tidemark healthy'],
        grafana: ['prometheus healthy', 'tidemark healthy'],
        sensors: ['tidemark healthy'],
      });
    });

    it('mounts what there is, read-only where it is no volume of the service', () => {
      for (const { volumes: mounts = [] } of Object.values(services))
        for (const { type, source, read_only } of mounts) {
          if (type === 'volume') expect(volumes).toHaveProperty([source]);
          else expect(statSync(source)).toBeTruthy();
          if (type === 'bind') expect(read_only).toBe(true);
        }
    });

    it('gives every secret that is asked for by a file, and Grafana all that its files of provisioning name', async () => {
      const folder = await tempDir();
      expect((await runTidemark(['init-compose', '--folder', folder])).code).toBe(0);
      const mountedBy = (name: string) =>
        services[name]!.volumes!.find(({ target }) => target === '/secrets')?.source;
      for (const [name, { environment = {} }] of Object.entries(services))
        for (const [key, value] of Object.entries(environment)) {
          expect(value, `${name} ${key}`).not.toMatch(/^(tm_|[\w-]{40,})/);
          if (!key.endsWith('_FILE')) continue;
          const file = value.replace('/secrets', join(folder, mountedBy(name)!.replace('secrets-', '')));
          expect(readFileSync(file, 'utf8').length, `${name} ${key}`).toBeGreaterThan(20);
        }
      const given = Object.keys(services.grafana!.environment!).map((key) => key.replace(/_FILE$/, ''));
      const files = [
        'datasources/store',
        'datasources/prometheus',
        'dashboards/tidemark',
        'alerting/contact',
      ];
      for (const file of files) {
        const text = readFileSync(join(root, `grafana/provisioning/${file}.yaml`), 'utf8');
        for (const [, name] of text.matchAll(/\$\{(\w+)\}/g)) expect(given).toContain(name);
      }
    });

    it('Grafana lets nobody who is not logged in change anything, and asks nobody outside', () => {
      expect(services.grafana).toMatchObject({
        image: GRAFANA_IMAGE,
        environment: {
          ...grafanaSettings,
          GF_SECURITY_ADMIN_PASSWORD_FILE: expect.any(String),
          GF_SECURITY_SECRET_KEY_FILE: expect.any(String),
        },
      });
    });
  },
);

describe.skipIf(!requireTool('promtool', promtool))('compose/prometheus.yml', () => {
  it('is read by promtool, and scrapes the platform and flows', () => {
    const file = join(root, 'compose/prometheus.yml');
    const said = execFileSync(promtool!, ['check', 'config', '--syntax-only', file], { encoding: 'utf8' });
    expect(said).toMatch('SUCCESS');
    const { scrape_configs } = parse(readFileSync(file, 'utf8')) as { scrape_configs: object[] };
    expect(scrape_configs).toMatchObject([{ job_name: 'tidemark' }, { job_name: 'tidemark-flows' }]);
  });
});

it('init-compose makes each secret once, and shows them when asked', async () => {
  const folder = await tempDir();
  const created = await runTidemark(['init-compose', '--folder', folder]);
  expect(created).toMatchObject({ code: 0, stdout: '' });
  const shown = await runTidemark(['init-compose', 'show', '--folder', folder]);
  expect(shown.stdout.match(/^\w\S+/gm)).toEqual(['Tidemark', 'MQTT', 'Grafana', 'Node-RED', 'InfluxDB']);
  expect((await runTidemark(['init-compose', 'show', '--folder', folder])).stdout).toBe(shown.stdout);
  const token = readFileSync(join(folder, 'prometheus/api-token'), 'utf8').trim();
  expect(shown.stdout).toContain(token);
  expect((await runTidemark(['init-compose', 'shew', '--folder', folder])).code).toBe(2);
});

it('with-secrets sets what files hold, of our names alone, and passes on what it runs', async () => {
  const file = join(await tempDir(), 'secret');
  writeFileSync(file, `it's "a" $secret\n`);
  const script = join(root, 'compose/with-secrets');
  const env = { PATH: process.env.PATH, TIDEMARK_TOKEN_FILE: file, SSL_CERT_FILE: '/none' };
  const printed = execFileSync('sh', [script, 'sh', '-c', 'env; exit 0'], { env, encoding: 'utf8' });
  expect(printed).toContain(`TIDEMARK_TOKEN=it's "a" $secret\n`);
  expect(printed).not.toContain('TIDEMARK_TOKEN_FILE');
  expect(printed).toContain('SSL_CERT_FILE=/none');
  expect(() =>
    execFileSync('sh', [script, 'true'], { env: { ...env, TIDEMARK_TOKEN_FILE: '/none' }, stdio: 'ignore' }),
  ).toThrow();
});
