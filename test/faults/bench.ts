import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PlatformProcess, startPlatform } from '../support/platform-process.ts';
import type { Mode } from './fault-case.ts';
import type { LoadOptions } from './oracle/load.ts';
import { Publisher } from './oracle/publish.ts';

/** Below the ports that the kernel gives to outgoing connections: a client that comes again must not meet itself. */
const LOWEST_PORT = 20_000;
const PORTS = 10_000;

interface BenchOptions {
  mode: Mode;
  /** What `random` goes by; the same one repeats a run's choices. */
  seed: number;
  /** Told what the case is doing. */
  onProgress: (text: string) => void;
}

interface PlatformOptions {
  env?: Record<string, string>;
  /** A program and its arguments to run Node under, such as strace. */
  under?: readonly string[];
  dataDir?: string;
}

/**
 * What a case works with: a folder, two ports that stay the same over restarts, and processes. Everything
 * started or deferred here is undone when it is disposed, in reverse and also in the middle of a start.
 */
export class Bench implements AsyncDisposable {
  readonly mode: Mode;
  readonly seed: number;
  readonly directory: string;
  readonly mqttUrl: string;
  readonly httpUrl: string;
  readonly progress: (text: string) => void;
  readonly #undo = new AsyncDisposableStack();
  readonly #ending = new AbortController();
  #randomState: number;
  #publishers = 0;

  private constructor({ mode, seed, onProgress }: BenchOptions, directory: string, ports: readonly number[]) {
    this.mode = mode;
    this.seed = seed;
    this.#randomState = seed;
    this.directory = directory;
    this.mqttUrl = `mqtt://127.0.0.1:${ports[0]}`;
    this.httpUrl = `http://127.0.0.1:${ports[1]}`;
    this.progress = onProgress;
    this.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
  }

  static async open(options: BenchOptions): Promise<Bench> {
    const ports = [await freePort(), await freePort()];
    return new Bench(options, await mkdtemp(join(tmpdir(), 'tidemark-fault-')), ports);
  }

  get dataDir(): string {
    return join(this.directory, 'data');
  }

  /** Aborted when the case is over, whether it is done or not. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** `short` in the short form, else `long`. */
  choose<T>(choices: Record<Mode, T>): T {
    return choices[this.mode];
  }

  /** The next number from 0 to 1 of the seed's sequence (mulberry32). */
  random(): number {
    this.#randomState = (this.#randomState + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(this.#randomState ^ (this.#randomState >>> 15), 1 | this.#randomState);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Has something undone at the end, before what was deferred earlier. */
  defer(undo: () => Promise<void> | void): void {
    this.#undo.defer(undo);
  }

  /** Starts the platform on this bench's folder and ports; it must have ended before the next start. */
  async startPlatform({
    env = {},
    under = [],
    dataDir = this.dataDir,
  }: PlatformOptions = {}): Promise<PlatformProcess> {
    const platform = await startPlatform({
      dataDir,
      under,
      env: {
        TIDEMARK_MQTT_PORT: new URL(this.mqttUrl).port,
        TIDEMARK_HTTP_PORT: new URL(this.httpUrl).port,
        TIDEMARK_LOG_LEVEL: 'silent',
        ...env,
      },
      signal: this.signal,
    });
    this.defer(async () => void (await platform.end('SIGKILL')));
    return platform;
  }

  /** Starts a publisher, to this bench's platform unless it is told otherwise. */
  publish(load: Omit<LoadOptions, 'url'> & { url?: string }): Publisher {
    const { mqttUrl, httpUrl, directory } = this;
    const publisher = new Publisher({
      url: load.protocol === 'mqtt' ? mqttUrl : httpUrl,
      qos: 1,
      window: 100,
      batch: 1,
      ratePerSecond: Number.MAX_SAFE_INTEGER,
      readings: Number.MAX_SAFE_INTEGER,
      time: 'device',
      log: join(directory, `acknowledged-${this.#publishers++}.log`),
      ...load,
    });
    this.defer(() => publisher.kill());
    return publisher;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new Error('the case is over'));
    await this.#undo.disposeAsync();
  }
}

async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST_PORT + Math.floor(Math.random() * PORTS);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
