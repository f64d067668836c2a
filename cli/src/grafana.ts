import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, cpSync, mkdirSync, rmSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TidemarkError } from '@tidemark/core';
import {
  GRAFANA_IMAGE,
  grafanaSettings,
  PROVISIONING,
  type ProvisioningEnvironment,
} from '@tidemark/grafana';
import { generatePassword } from '@tidemark/store';
import { type ConnectionOptions, httpConnection } from './connection.ts';
import { untilInterrupted } from './interrupt.ts';
import { ensureSecret, secretPath } from './secrets.ts';
import { loadSettings } from './settings.ts';

export interface GrafanaOptions extends ConnectionOptions {
  port: number;
  prometheus?: string;
}

/** A program and its arguments, which reads the environment that it is given. */
interface Command {
  program: string;
  args: string[];
}

/** Runs Grafana with our provisioning on loopback until Ctrl-C; it keeps its data in the platform's data folder. */
export async function grafana(options: GrafanaOptions): Promise<void> {
  const { dataDir } = loadSettings({ file: options.config });
  const home = resolve(dataDir, 'grafana');
  const provisioning = prepareProvisioning(home, options.prometheus !== undefined);
  const environment = {
    ...grafanaSettings,
    GF_AUTH_ANONYMOUS_ENABLED: 'true',
    GF_SECURITY_ADMIN_PASSWORD: ensureSecret(dataDir, 'grafana-password', generatePassword),
    GF_SECURITY_SECRET_KEY: ensureSecret(dataDir, 'grafana-secret-key', generatePassword),
    GF_SERVER_HTTP_ADDR: '127.0.0.1',
    GF_SERVER_HTTP_PORT: String(options.port),
    GF_PATHS_PROVISIONING: provisioning,
    GF_PATHS_DATA: join(home, 'data'),
    GF_PATHS_LOGS: join(home, 'logs'),
    GF_LOG_MODE: 'console',
    GF_LOG_LEVEL: 'warn',
    GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: join(provisioning, 'dashboards/tidemark/fleet.json'),
    ...askedOf(options, provisioning),
  };
  process.stdout.write(
    `Grafana starts at http://127.0.0.1:${options.port}\n  to change something, log in as admin; the password is in ${secretPath(dataDir, 'grafana-password')}\nCtrl-C stops it.\n`,
  );
  await run(findGrafana() ?? dockerCommand(home, Object.keys(environment)), environment);
}

/** What the files of provisioning are filled in with. */
function askedOf(options: GrafanaOptions, provisioning: string): ProvisioningEnvironment {
  const { url, token } = httpConnection(options);
  // Where no token is needed any will do, and Grafana's header must not be empty.
  const shown = token ?? 'none';
  return {
    TIDEMARK_URL: url,
    TIDEMARK_TOKEN: shown,
    TIDEMARK_QUERY_URL: url,
    TIDEMARK_QUERY_DATABASE: loadSettings({ file: options.config }).influx.bucket,
    TIDEMARK_QUERY_TOKEN: shown,
    TIDEMARK_PROMETHEUS_URL: options.prometheus ?? '',
    TIDEMARK_DASHBOARDS: join(provisioning, 'dashboards/tidemark'),
  };
}

/** A copy of the folder; what asks Prometheus is left out where there is none. */
function prepareProvisioning(home: string, hasPrometheus: boolean): string {
  const target = join(home, 'provisioning');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(join(home, 'data'), { recursive: true });
  cpSync(fileURLToPath(PROVISIONING), target, { recursive: true });
  const needPrometheus = [
    'datasources/prometheus.yaml',
    'alerting/platform.yaml',
    'dashboards/tidemark/platform.json',
    'dashboards/tidemark/grpc-server.json',
    'dashboards/tidemark/grpc-client.json',
  ];
  if (!hasPrometheus) for (const path of needPrometheus) rmSync(join(target, path));
  return target;
}

/** `GRAFANA_HOME`, or a Grafana that a package has installed. */
function findGrafana(): Command | undefined {
  const homePath = process.env.GRAFANA_HOME ?? '/usr/share/grafana';
  const onPath = (name: string) =>
    (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  const inHome = process.env.GRAFANA_HOME === undefined ? [] : [homePath];
  const found = (name: string) =>
    [...inHome.map((folder) => join(folder, 'bin', name)), ...onPath(name)].find(isExecutable);
  const home = ['--homepath', homePath];
  const whole = found('grafana');
  if (whole !== undefined) return { program: whole, args: ['server', ...home] };
  const server = found('grafana-server');
  return server === undefined ? undefined : { program: server, args: home };
}

/** Docker's Grafana on this machine's own network, where it reaches what listens on loopback. */
function dockerCommand(home: string, names: readonly string[]): Command {
  const docker = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'docker'))
    .find(isExecutable);
  if (docker === undefined)
    throw new TidemarkError(
      'unavailable',
      'neither Grafana nor Docker is here: install Grafana and set GRAFANA_HOME to its folder, or install Docker',
    );
  const user = `${process.getuid?.() ?? 472}:${process.getgid?.() ?? 0}`;
  const args = ['run', '--rm', '--init', '--network', 'host', '--user', user, '-v', `${home}:${home}`];
  return { program: docker, args: [...args, ...names.flatMap((name) => ['-e', name]), GRAFANA_IMAGE] };
}

async function run({ program, args }: Command, environment: Record<string, string>): Promise<void> {
  await untilInterrupted(async (signal) => {
    const child = spawn(program, args, { env: { ...process.env, ...environment }, stdio: 'inherit' });
    const stop = () => child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (!signal.aborted && code !== 0)
      throw new TidemarkError('unavailable', `Grafana ended with ${code}; what it said is above`);
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
