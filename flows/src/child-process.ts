import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { getCompileCacheDir } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ChildSettings, FromChild, ToChild } from './messages.ts';
import type { FlowsAccess } from './supervisor.ts';

const script = fileURLToPath(new URL('./child/main.ts', import.meta.url));
const STOP_GRACE_MS = 1000;
const BYTES_PER_MIB = 1024 * 1024;

interface ChildParts {
  userDir: string;
  maxHeapBytes: number;
  access: FlowsAccess;
  settings: ChildSettings;
  onMessage: (message: FromChild) => void;
  /** Called once, whatever ended it. */
  onExit: (end: { how: string; isOutOfMemory: boolean }) => void;
}

/** One run of the process of Node-RED. */
export class Child {
  readonly #process: ChildProcess;

  constructor({ userDir, maxHeapBytes, access, settings, onMessage, onExit }: ChildParts) {
    this.#process = fork(script, [], {
      cwd: userDir,
      execArgv: [`--max-old-space-size=${Math.floor(maxHeapBytes / BYTES_PER_MIB)}`],
      env: environmentFor(access),
      // Its console goes to the log by messages; what V8 says when it ends the process comes by standard error.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#process.on('message', onMessage);
    let hasEnded = false;
    const end = (how: string, isOutOfMemory: boolean): void => {
      if (hasEnded) return;
      hasEnded = true;
      onExit({ how, isOutOfMemory });
    };
    // V8 aborts when the heap is full.
    this.#process.on('exit', (code, signal) => end(signal ?? `exit code ${code}`, signal === 'SIGABRT'));
    this.#process.on('error', (error) => {
      if (this.#process.pid === undefined) end(error.message, false);
    });
    this.#send({ type: 'start', settings });
  }

  /** Asks it to end, and ends it when it has not. */
  async stop(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#process;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#send({ type: 'stop' });
    const grace = new AbortController();
    await Promise.race([exited, delay(STOP_GRACE_MS, undefined, { signal: grace.signal }).catch(() => {})]);
    grace.abort();
    this.kill();
    await exited;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #send(message: ToChild): void {
    // One that has ended cannot be told anything; that it has is told by `exit`.
    this.#process.send(message, () => {});
  }
}

/** What flows can read: the environment without the platform's own settings, and how to reach the platform. */
function environmentFor(access: FlowsAccess): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(TIDEMARK|INFLUX)_/.test(name));
  const given = {
    TIDEMARK_FLOWS_API_URL: access.apiUrl,
    TIDEMARK_FLOWS_MQTT_URL: access.mqttUrl,
    TIDEMARK_FLOWS_TOKEN: access.token,
    TIDEMARK_FLOWS_MQTT_USER: access.mqttUser,
    TIDEMARK_FLOWS_MQTT_PASSWORD: access.mqttPassword,
    NODE_COMPILE_CACHE: getCompileCacheDir() ?? '',
  };
  return Object.fromEntries([...inherited, ...Object.entries(given).filter(([, value]) => value !== '')]);
}
