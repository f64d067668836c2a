import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** All of it but flows. */
const platformRoles = 'broker,ingest,alerts,api';

const tidemarkBin = fileURLToPath(new URL('../../cli/bin/tidemark.js', import.meta.url));

interface StartOptions {
  dataDir: string;
  env?: Record<string, string>;
  /** A program and its arguments to run Node under, such as strace. */
  under?: readonly string[];
  /** Kills the process when it aborts, ready or not. */
  signal?: AbortSignal | undefined;
}

/** `tidemark serve` as a process of its own, on free ports. */
export interface PlatformProcess {
  child: ChildProcess;
  mqttUrl: string;
  httpUrl: string;
  grpcPort: number;
  /** Where the gateway for lines is on. */
  linesPort: number | undefined;
  readyMs: number;
  /** What it has written to standard error: its log. */
  log(): string;
  /** Ends the process by a signal; resolves with its exit code, null when the signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts the platform and waits until it is ready; throws what it printed when it ends before. */
export async function startPlatform({
  dataDir,
  env = {},
  under = [],
  signal,
}: StartOptions): Promise<PlatformProcess> {
  const [program, ...args] = [...under, process.execPath, tidemarkBin, 'serve', '--json'];
  const child = spawn(program!, args, { env: settingsFor(dataDir, env), stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  child.once('exit', () => signal?.removeEventListener('abort', kill));
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const line = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line').then(([text]) => text as string),
    once(child, 'exit').then(() => undefined),
  ]);
  if (line === undefined) throw new Error(`the platform did not start: ${errors}`);
  const { mqttUrl, httpUrl, grpcPort, linesPort, readyMs } = JSON.parse(line) as PlatformProcess;
  return {
    child,
    mqttUrl,
    httpUrl,
    grpcPort,
    linesPort,
    readyMs,
    log: () => errors,
    end: async (signal) => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        await once(child, 'exit');
      }
      return child.exitCode;
    },
  };
}

/** Runs one `tidemark` command to its end. */
export async function runTidemark(
  args: readonly string[],
  { env = {}, cwd }: { env?: Record<string, string>; cwd?: string } = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [tidemarkBin, ...args], {
    env: { ...process.env, ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** Settings of a platform on free ports, without Node-RED unless asked for: it costs a process and half a second. */
export function settingsFor(dataDir: string, env: Record<string, string> = {}): NodeJS.ProcessEnv {
  return {
    ...process.env,
    TIDEMARK_DATA_DIR: dataDir,
    TIDEMARK_MQTT_PORT: '0',
    TIDEMARK_HTTP_PORT: '0',
    TIDEMARK_GRPC_PORT: '0',
    TIDEMARK_ROLES: platformRoles,
    TIDEMARK_LOG_LEVEL: 'warn',
    ...env,
  };
}
