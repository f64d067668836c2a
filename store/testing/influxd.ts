import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const version = 'v2.7.12';
const startAttempts = 3;
const startTimeoutMs = 60_000;

/** A real InfluxDB 2 server of a test's own, on loopback, with an organization and an all-access token. */
export interface Influxd {
  url: string;
  /** Of the running process; another after a restart. */
  readonly pid: number;
  token: string;
  org: string;
  /** The bucket made by the setup. */
  bucket: string;
  /** Makes an empty bucket. */
  createBucket(name: string): Promise<void>;
  /** Makes a token that may read and write the organization's buckets, and can be refused for a while. */
  createToken(): Promise<{ token: string; setActive(isActive: boolean): Promise<void> }>;
  /** Ends the server at once, keeping its data; `restart` brings it back at the same address. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** Freezes the server: it keeps its connections and answers nothing until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
}

/** Path of the influxd binary: `INFLUXD_BIN`, the cache that `.ci/install-influxd` fills, or PATH. */
export function findInfluxd(): string | undefined {
  const candidates = [
    process.env.INFLUXD_BIN,
    join(homedir(), '.cache', 'tidemark', `influxd-${version}`, 'influxd'),
    ...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'influxd')),
  ];
  return candidates.find((path) => path !== undefined && isExecutable(path));
}

/** Starts and sets up a server with data in a new temporary folder. */
export async function startInfluxd(binary: string): Promise<Influxd> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-influxd-'));
  let server = await launch(binary, folder);
  const { url } = server;
  const setup = { username: 'tidemark', org: 'tidemark', bucket: 'tidemark' };
  const secrets = { password: crypto.randomUUID(), token: crypto.randomUUID() };
  const { org } = (await post(`${url}/api/v2/setup`, { ...setup, ...secrets })) as { org: { id: string } };
  const { token } = secrets;
  return {
    url,
    get pid() {
      return server.child.pid!;
    },
    token,
    org: setup.org,
    bucket: setup.bucket,
    createBucket: async (name) => {
      await post(`${url}/api/v2/buckets`, { name, orgID: org.id, retentionRules: [] }, token);
    },
    createToken: async () => {
      const permissions = ['read', 'write'].map((action) => ({
        action,
        resource: { type: 'buckets', orgID: org.id },
      }));
      const path = `${url}/api/v2/authorizations`;
      const made = (await post(path, { orgID: org.id, permissions }, token)) as { id: string; token: string };
      return {
        token: made.token,
        setActive: async (isActive) => {
          await send('PATCH', `${path}/${made.id}`, { status: isActive ? 'active' : 'inactive' }, token);
        },
      };
    },
    kill: () => end(server.child, 'SIGKILL'),
    freeze: () => void server.child.kill('SIGSTOP'),
    thaw: () => void server.child.kill('SIGCONT'),
    restart: async () => {
      server = await launch(binary, folder, Number(new URL(url).port));
    },
    stop: async () => {
      server.child.kill('SIGCONT');
      await end(server.child, 'SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function launch(
  binary: string,
  folder: string,
  port?: number,
): Promise<{ child: ChildProcess; url: string }> {
  for (let attempt = 1; ; attempt += 1) {
    // The port is free when asked for, but another process may take it before influxd does.
    const address = `127.0.0.1:${port ?? (await freePort())}`;
    const child = spawn(binary, flags(folder, address), { stdio: ['ignore', 'pipe', 'pipe'] });
    // A test run that is interrupted must not leave a server behind.
    const abandon = () => child.kill('SIGKILL');
    process.once('exit', abandon);
    child.once('exit', () => process.removeListener('exit', abandon));
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    try {
      await ready(child, `http://${address}`);
      return { child, url: `http://${address}` };
    } catch (error) {
      await end(child, 'SIGKILL');
      if (attempt === startAttempts) throw new Error(`influxd did not start: ${output}`, { cause: error });
    }
  }
}

function flags(folder: string, address: string): string[] {
  return [
    '--http-bind-address',
    address,
    '--bolt-path',
    join(folder, 'influxd.bolt'),
    '--sqlite-path',
    join(folder, 'influxd.sqlite'),
    '--engine-path',
    join(folder, 'engine'),
    '--reporting-disabled',
    '--log-level',
    'error',
  ];
}

async function ready(child: ChildProcess, url: string): Promise<void> {
  const deadlineMs = performance.now() + startTimeoutMs;
  while (performance.now() < deadlineMs) {
    if (child.exitCode !== null) throw new Error(`influxd ended with code ${child.exitCode}`);
    const isUp = await fetch(`${url}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`influxd was not up within ${startTimeoutMs} ms`);
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await exited;
}

function post(url: string, body: unknown, token?: string): Promise<unknown> {
  return send('POST', url, body, token);
}

async function send(method: string, url: string, body: unknown, token?: string): Promise<unknown> {
  const headers = token === undefined ? {} : { authorization: `Token ${token}` };
  const response = await fetch(url, { method, headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
