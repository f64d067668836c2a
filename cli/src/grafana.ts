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

const PING_MS = 3000;
/** What `docker run` ends with when the container was never begun: https://docs.docker.com/reference/cli/docker/container/run/#exit-status */
const DOCKER_FAILED = 125;

/** A program and its arguments, which reads the environment that it is given. */
interface Command {
  program: string;
  args: string[];
}

/** Runs Grafana with our provisioning on loopback until Ctrl-C; it keeps its data in the platform's data folder. */
export async function grafana(options: GrafanaOptions): Promise<void> {
  const commandFor = findGrafana();
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
  await warnOfNoPlatform(options);
  await run(commandFor(home, Object.keys(environment)), environment);
}

/** Grafana may be there first; but where the address is wrong, every panel stays empty. */
async function warnOfNoPlatform(options: GrafanaOptions): Promise<void> {
  const { url } = httpConnection(options);
  const signal = AbortSignal.timeout(PING_MS);
  await fetch(new URL('/ping', url), { signal }).catch(() =>
    process.stderr.write(`no answer from ${url} yet: start the platform, or say where it is with --url\n`),
  );
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
  // Without these folders, some versions log an error at every start.
  for (const folder of ['plugins', 'notifiers']) mkdirSync(join(target, folder));
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

/**
 * What runs Grafana, given the folder that it may write to and the names of the environment: that of `GRAFANA_HOME`, one
 * that a package has installed, or Docker's. Throws `unavailable` where there is none.
 */
function findGrafana(): (home: string, names: readonly string[]) => Command {
  const homePath = process.env.GRAFANA_HOME ?? '/usr/share/grafana';
  const inHome = process.env.GRAFANA_HOME === undefined ? [] : [join(homePath, 'bin')];
  const found = (name: string) => findProgram(name, [...inHome, ...searchPath()]);
  const args = ['--homepath', homePath];
  const whole = found('grafana');
  if (whole !== undefined) return () => ({ program: whole, args: ['server', ...args] });
  const server = found('grafana-server');
  if (server !== undefined) return () => ({ program: server, args });
  const docker = findProgram('docker', searchPath());
  if (docker !== undefined) return (home, names) => dockerCommand(docker, home, names);
  throw new TidemarkError(
    'unavailable',
    'neither Grafana nor Docker is here: install Grafana and set GRAFANA_HOME to its folder, or install Docker',
  );
}

function searchPath(): string[] {
  return (process.env.PATH ?? '').split(delimiter);
}

function findProgram(name: string, folders: readonly string[]): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Docker's Grafana on this machine's own network, where it reaches what listens on loopback. */
function dockerCommand(program: string, home: string, names: readonly string[]): Command {
  const user = `${process.getuid?.() ?? 472}:${process.getgid?.() ?? 0}`;
  const args = ['run', '--rm', '--init', '--network', 'host', '--user', user, '-v', `${home}:${home}`];
  return { program, args: [...args, ...names.flatMap((name) => ['-e', name]), GRAFANA_IMAGE] };
}

async function run({ program, args }: Command, environment: Record<string, string>): Promise<void> {
  await untilInterrupted(async (signal) => {
    const child = spawn(program, args, { env: { ...process.env, ...environment }, stdio: 'inherit' });
    const stop = () => child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (signal.aborted || code === 0) return;
    const isDockers = code === DOCKER_FAILED && args[0] === 'run';
    throw new TidemarkError(
      'unavailable',
      isDockers
        ? 'Docker cannot run Grafana; what it said is above. Start Docker, or install Grafana and set GRAFANA_HOME to its folder'
        : `Grafana ended with ${code}; what it said is above`,
    );
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
