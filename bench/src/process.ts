import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The command line, as a script. */
export const tidemark = fileURLToPath(new URL('../../cli/bin/tidemark.js', import.meta.url));

/** A child process that prints JSON lines; the first one says that it is ready. */
export interface Child {
  process: ChildProcess;
  ready: Record<string, unknown>;
  stop(): Promise<void>;
}

/** Linux's clock ticks a second, as `getconf CLK_TCK` has been for every architecture for decades. */
const TICKS_PER_SECOND = 100;

/** Starts a script under this Node and waits for its first line. */
export async function startServer(args: readonly string[], env: Record<string, string> = {}): Promise<Child> {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await firstLine(child);
  return {
    process: child,
    ready: JSON.parse(line) as Record<string, unknown>,
    stop: async () => {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

/** `tidemark serve` on the embedded store and free ports, without Node-RED unless asked for. */
export function startTidemark(dataDir: string, env: Record<string, string> = {}): Promise<Child> {
  return startServer([tidemark, 'serve', '--json'], {
    TIDEMARK_DATA_DIR: dataDir,
    TIDEMARK_MQTT_PORT: '0',
    TIDEMARK_HTTP_PORT: '0',
    TIDEMARK_GRPC_PORT: '0',
    TIDEMARK_ROLES: 'broker,ingest,alerts,api',
    TIDEMARK_LOG_LEVEL: 'warn',
    ...env,
  });
}

/** Runs a script to its end and returns the JSON of its first line. */
export async function runJson<T>(args: readonly string[]): Promise<T> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await firstLine(child);
  if (child.exitCode === null) await once(child, 'exit');
  return JSON.parse(line) as T;
}

/** Runs a script to its end and returns the JSON of its last line. */
export async function runToEnd<T>(args: readonly string[]): Promise<T> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let last = '';
  for await (const line of createInterface({ input: child.stdout })) last = line;
  return JSON.parse(last) as T;
}

/** CPU seconds that a process and all its threads have used. */
export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory of a process in MiB. */
export function memoryMiBOf(pid: number): number {
  return statusMiBOf(pid, 'VmRSS');
}

/** The most that it has been since the process began. */
export function peakMemoryMiBOf(pid: number): number {
  return statusMiBOf(pid, 'VmHWM');
}

function statusMiBOf(pid: number, name: string): number {
  const match = new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0) / 1024;
}

async function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout! });
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`${child.spawnargs.join(' ')} ended with ${code} before it said anything`);
  });
  const [line] = (await Promise.race([once(lines, 'line'), exited])) as [string];
  exited.catch(() => {});
  return line;
}
