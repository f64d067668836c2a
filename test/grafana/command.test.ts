import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { grafanaSettings } from '@tidemark/grafana';
import { expect, it } from 'vitest';
import { runTidemark } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

/** Stands where Grafana would: it tells how it was started. */
const recorder = `#!/bin/sh\n{ echo "ARGS $*"; /usr/bin/env; } > "$RECORD"\n`;

async function start(programs: readonly string[], args: readonly string[] = [], program = recorder) {
  const folder = await tempDir();
  const home = join(folder, 'home');
  mkdirSync(join(home, 'bin'), { recursive: true });
  for (const name of programs) {
    writeFileSync(join(home, 'bin', name), program);
    chmodSync(join(home, 'bin', name), 0o755);
  }
  const record = join(folder, 'record');
  const result = await runTidemark(
    ['grafana', '--url', 'http://127.0.0.1:8099', '--token', 'tm_t', ...args],
    {
      env: {
        PATH: programs.includes('docker') ? join(home, 'bin') : '/none',
        GRAFANA_HOME: home,
        RECORD: record,
        TIDEMARK_DATA_DIR: folder,
      },
    },
  );
  const lines = existsSync(record) ? readFileSync(record, 'utf8').split('\n') : [];
  const environment = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
  return { ...result, args: lines[0]?.slice(5), environment, folder, home };
}

it('an installed Grafana is started on loopback with all that provisioning asks for', async () => {
  const { code, stdout, args, environment, home, folder } = await start(['grafana'], ['--port', '3999']);
  expect(code).toBe(0);
  expect(args).toBe(`server --homepath ${home}`);
  expect(environment).toMatchObject({
    ...grafanaSettings,
    GF_SERVER_HTTP_ADDR: '127.0.0.1',
    GF_SERVER_HTTP_PORT: '3999',
    TIDEMARK_URL: 'http://127.0.0.1:8099',
    TIDEMARK_QUERY_URL: 'http://127.0.0.1:8099',
    TIDEMARK_QUERY_DATABASE: 'tidemark',
    TIDEMARK_QUERY_TOKEN: 'tm_t',
  });
  const provisioning = environment.GF_PATHS_PROVISIONING!;
  expect(existsSync(environment.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH!)).toBe(true);
  expect(existsSync(join(provisioning, 'datasources/store.yaml'))).toBe(true);
  // Without a Prometheus, nothing that would fail for want of one.
  for (const path of ['datasources/prometheus.yaml', 'alerting/platform.yaml'])
    expect(existsSync(join(provisioning, path)), path).toBe(false);
  const dashboards = readdirSync(join(provisioning, 'dashboards/tidemark'));
  expect(dashboards).toContain('sensor.json');
  for (const file of dashboards)
    expect(readFileSync(join(provisioning, 'dashboards/tidemark', file), 'utf8'), file).not.toContain(
      '"type": "prometheus"',
    );
  const password = readFileSync(join(folder, 'secrets/grafana-password'), 'utf8').trim();
  expect(environment.GF_SECURITY_ADMIN_PASSWORD).toBe(password);
  expect(stdout).toContain('http://127.0.0.1:3999');
  expect(stdout).not.toContain(password);
});

it('a Prometheus brings the dashboard Platform and its alert rules', async () => {
  const { environment } = await start(['grafana-server'], ['--prometheus', 'http://127.0.0.1:9090']);
  expect(environment.TIDEMARK_PROMETHEUS_URL).toBe('http://127.0.0.1:9090');
  const provisioning = environment.GF_PATHS_PROVISIONING!;
  expect(existsSync(join(provisioning, 'alerting/platform.yaml'))).toBe(true);
});

it('without Grafana, Docker runs it, and is given the names of secrets, not the secrets', async () => {
  const { args, environment, folder } = await start(['docker']);
  expect(args).toMatch(/^run --rm .*--network host .*grafana\/grafana:\d+\.\d+\.\d+$/);
  expect(args).toContain(`-v ${folder}/grafana:${folder}/grafana`);
  expect(args).toContain('-e GF_SECURITY_ADMIN_PASSWORD -e');
  expect(args).not.toContain(environment.GF_SECURITY_ADMIN_PASSWORD);
});

it('with neither it says what to do', async () => {
  const { code, stdout, stderr, folder } = await start([]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/install Grafana and set GRAFANA_HOME/);
  expect(stdout).toBe('');
  expect(existsSync(join(folder, 'secrets'))).toBe(false);
});

it('where Docker does not run, it says what to do', async () => {
  const { code, stderr } = await start(['docker'], [], '#!/bin/sh\necho Cannot connect >&2; exit 125\n');
  expect(code).toBe(1);
  expect(stderr).toMatch(/Cannot connect.*Start Docker, or install Grafana/s);
});

it('says that no platform answers, and starts all the same', async () => {
  const { code, stderr } = await start(['grafana']);
  expect(code).toBe(0);
  expect(stderr).toContain('no answer from http://127.0.0.1:8099 yet');
});
