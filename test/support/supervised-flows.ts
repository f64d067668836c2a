import { readdirSync, readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { type PlatformProcess, startPlatform } from './platform-process.ts';
import { tempDir } from './temp-dir.ts';

// Node-RED takes half a second to start on a quiet machine, and goes last on a busy one.
const PATIENTLY_MS = 50_000;
const LOOK_MS = 100;

/** A platform with Node-RED behind it, and no flows. */
export interface FlowsPlatform {
  platform: PlatformProcess;
  dataDir: string;
  flowsUrl: string;
}

interface StartOptions {
  dataDir?: string;
  env?: Record<string, string>;
  /** API token, where one is needed. */
  token?: string;
  /** Whether to wait until Node-RED serves. */
  isAwaited?: boolean;
}

/** Starts a platform with Node-RED and waits until both serve; it ends with the test. */
export async function startFlows({
  dataDir,
  env = {},
  token,
  isAwaited = true,
}: StartOptions = {}): Promise<FlowsPlatform> {
  const folder = dataDir ?? (await tempDir());
  const platform = await startPlatform({
    dataDir: folder,
    env: {
      TIDEMARK_ROLES: 'broker,ingest,alerts,api,flows',
      TIDEMARK_FLOWS_PORT: '0',
      TIDEMARK_FLOWS_EXAMPLES: 'false',
      TIDEMARK_LOG_LEVEL: 'silent',
      ...env,
    },
  });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  if (!isAwaited) return { platform, dataDir: folder, flowsUrl: '' };
  const { flowsPort } = await until(
    () => healthOf(platform, token),
    ({ flowsPort }) => flowsPort !== undefined,
  );
  await until(
    () => flowsCheck(platform, token),
    ({ message }) => /Node-RED on port|flows are stopped/.test(message),
  );
  return { platform, dataDir: folder, flowsUrl: `http://127.0.0.1:${flowsPort}` };
}

interface Health {
  checks: { name: string; status: string; message: string }[];
  flowsPort?: number;
}

async function healthOf({ httpUrl }: PlatformProcess, token?: string): Promise<Health> {
  return (await (await fetch(`${httpUrl}/health`, { headers: bearer(token) })).json()) as Health;
}

function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** What `/health` says of flows. */
export async function flowsCheck(
  platform: PlatformProcess,
  token?: string,
): Promise<{ status: string; message: string }> {
  const check = (await healthOf(platform, token)).checks.find(({ name }) => name === 'flows');
  if (check === undefined) throw new Error('/health does not list flows');
  return check;
}

/** Replaces all flows, as the editor's Deploy does. */
export async function deploy(flowsUrl: string, nodes: readonly object[], session?: string): Promise<void> {
  const response = await fetch(`${flowsUrl}/flows`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'node-red-api-version': 'v1', ...bearer(session) },
    body: JSON.stringify(nodes),
  });
  if (response.status !== 204) throw new Error(`deploy: ${response.status} ${await response.text()}`);
}

/** Resolves once Node-RED answers no more: a flow is in its endless loop. */
export async function untilSpinning(flowsUrl: string): Promise<void> {
  const doesAnswer = () =>
    fetch(`${flowsUrl}/settings`, { signal: AbortSignal.timeout(500) }).then(
      () => true,
      () => false,
    );
  await until(doesAnswer, (answer) => !answer);
}

/** A flow whose function node runs this when flows start. */
export function flowThatRuns(code: string): object[] {
  const tab = { id: 'tab1', type: 'tab', label: 'test', disabled: false };
  const inject = {
    id: 'in1',
    type: 'inject',
    z: 'tab1',
    once: true,
    onceDelay: 0.1,
    repeat: '',
    props: [],
    wires: [['fn1']],
  };
  const fn = { id: 'fn1', type: 'function', z: 'tab1', func: code, outputs: 1, wires: [[]] };
  return [tab, inject, fn];
}

/** The metric's value, its labels as they are written; 0 while it is not there. */
export async function metricOf({ httpUrl }: PlatformProcess, name: string, token?: string): Promise<number> {
  const text = await (await fetch(`${httpUrl}/metrics`, { headers: bearer(token) })).text();
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

/** Asks until the answer satisfies, and gives it; fails with the last answer. */
export async function until<T>(ask: () => Promise<T>, satisfies: (answer: T) => boolean): Promise<T> {
  const endMs = performance.now() + PATIENTLY_MS;
  for (;;) {
    const answer = await ask();
    if (satisfies(answer)) return answer;
    if (performance.now() > endMs) throw new Error(`waited in vain, the last was ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Process ids of the children of a process. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => parentOf(name) === pid)
    .map(Number);
}

/** False once the process has ended, whether or not anybody has asked how. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[1]);
  } catch {
    return undefined;
  }
}
