import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config, Logger, PartHealth, Registry } from '@tidemark/core';
import { Child } from './child-process.ts';
import type { FromChild, Login, LogLevel, Usage } from './messages.ts';
import { FlowsMetrics } from './metrics.ts';
import { MAX_FAULTS, type RestartReason, Restarts, WINDOW_MS } from './restarts.ts';

const LOOK_MS = 1000;
/** Loading nodes keeps the event loop busy, the more so beside a platform that goes first. */
const START_TICKS = 60;
/** Beyond the heap, what Node-RED has: code, buffers, threads. */
const OUTSIDE_HEAP_BYTES = 192 * 1024 * 1024;
const MS_PER_MINUTE = 60_000;

/** How flows reach the platform, and what only the platform knows. */
export interface FlowsAccess {
  apiUrl: string;
  mqttUrl: string;
  /** Credentials for the two; empty where none are needed. */
  token: string;
  mqttUser: string;
  mqttPassword: string;
  /** Who may use the editor and the HTTP nodes; undefined where no login is asked for. */
  login: Login | undefined;
  /** Encrypts what flows keep as credentials. */
  credentialSecret: string;
}

interface SupervisorParts {
  config: Pick<Config, 'host' | 'dataDir' | 'http' | 'flows' | 'logLevel'>;
  access: FlowsAccess;
  logger: Logger;
  metrics: Registry;
}

type State =
  | { name: 'stopped' }
  | { name: 'starting' }
  | { name: 'running'; areFlowsRunning: boolean; flows: number }
  | { name: 'waiting'; why: string; pauseMs: number };

/**
 * Keeps Node-RED running in a process of its own. One that gives no sign of life is killed; one that has ended, however,
 * is started again, after pauses that grow, and without its flows when these end it again and again. Nothing that
 * Node-RED does is waited for.
 */
export class FlowsSupervisor {
  readonly #parts: SupervisorParts;
  readonly #logger: Logger;
  readonly #metrics: FlowsMetrics;
  readonly #restarts = new Restarts();
  readonly #portWaiters = new Set<(port: number) => void>();
  #state: State = { name: 'stopped' };
  #child: Child | undefined;
  #port: number | undefined;
  #lookout: NodeJS.Timeout | undefined;
  #pause: NodeJS.Timeout | undefined;
  #silentTicks = 0;
  #killedFor: RestartReason | undefined;
  #fault: string | undefined;
  /** The first line of what it said before it ended by itself. */
  #lastWords: string | undefined;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    this.#logger = parts.logger.child({ part: 'flows' });
    this.#metrics = new FlowsMetrics(parts.metrics);
  }

  /** Starts Node-RED and does not wait for it. */
  async start(): Promise<void> {
    mkdirSync(this.#userDir, { recursive: true, mode: 0o700 });
    this.#lookout = setInterval(() => this.#look(), LOOK_MS);
    this.#launch(false);
  }

  /** Lets flows end, for a second at most. */
  async stop(): Promise<void> {
    clearInterval(this.#lookout);
    clearTimeout(this.#pause);
    this.#state = { name: 'stopped' };
    await this.#child?.stop();
  }

  /** Where the editor is; undefined until Node-RED has listened once. It stays over restarts. */
  get port(): number | undefined {
    return this.#port;
  }

  /** The port, waited for at most so long. */
  whenListening(timeoutMs: number): Promise<number | undefined> {
    if (this.#port !== undefined) return Promise.resolve(this.#port);
    return new Promise((resolve) => {
      const done = (port: number | undefined): void => {
        clearTimeout(timer);
        this.#portWaiters.delete(done);
        resolve(port);
      };
      const timer = setTimeout(() => done(undefined), timeoutMs).unref();
      this.#portWaiters.add(done);
    });
  }

  health(): PartHealth {
    const state = this.#state;
    const at = this.#port === undefined ? '' : ` on port ${this.#port}`;
    if (state.name === 'waiting') {
      const message = `${state.why}; Node-RED is tried again ${state.pauseMs / 1000} s later`;
      return { name: 'flows', status: 'fail', message };
    }
    if (state.name !== 'running')
      return { name: 'flows', status: 'pass', message: `Node-RED is ${state.name}${at}` };
    if (state.areFlowsRunning)
      return { name: 'flows', status: 'pass', message: `Node-RED${at}, ${state.flows} flows` };
    const message = `flows are stopped, since Node-RED ended ${MAX_FAULTS} times within ${WINDOW_MS / MS_PER_MINUTE} minutes (${this.#fault}); mend them in the editor${at} and deploy`;
    return { name: 'flows', status: 'fail', message };
  }

  get #userDir(): string {
    return join(this.#parts.config.dataDir, 'flows');
  }

  #launch(isSafeMode: boolean): void {
    const { config, access } = this.#parts;
    const { flows, host, http, logLevel } = config;
    this.#state = { name: 'starting' };
    this.#silentTicks = 0;
    this.#killedFor = undefined;
    this.#lastWords = undefined;
    this.#child = new Child({
      userDir: this.#userDir,
      maxHeapBytes: flows.maxMemoryBytes,
      access,
      settings: {
        host,
        // The same as before, so that links to the editor hold.
        port: this.#port ?? flows.port,
        allowedHosts: http.allowedHosts,
        maxBodyBytes: http.maxBodyBytes,
        userDir: this.#userDir,
        hasExamples: flows.examples,
        isSafeMode,
        logLevel,
        credentialSecret: access.credentialSecret,
        login: access.login,
      },
      onMessage: (message) => this.#onMessage(message),
      onExit: (why) => this.#onExit(why),
    });
  }

  #onMessage(message: FromChild): void {
    this.#silentTicks = 0;
    if (message.type === 'log') this.#onLine(message);
    else if (message.type === 'listening') this.#onPort(message.port);
    else if (message.type === 'failed') {
      this.#killedFor = 'start';
      this.#fault = message.message;
    } else if (message.type === 'started') {
      this.#logger.info({ port: this.#port }, `Node-RED ${message.version} has started`);
      this.#state = { name: 'running', areFlowsRunning: true, flows: 0 };
      this.#metrics.started(Date.now());
    } else if (message.type === 'beat') this.#onBeat(message.usage);
  }

  #onLine({ level, text }: { level: LogLevel; text: string }): void {
    this.#logger[level](text);
    if (level === 'fatal') this.#lastWords = text.split('\n', 1)[0];
  }

  #onPort(port: number): void {
    this.#port = port;
    for (const waiter of [...this.#portWaiters]) waiter(port);
  }

  #onBeat(usage: Usage): void {
    if (this.#state.name !== 'running') return;
    this.#state = { name: 'running', areFlowsRunning: usage.areFlowsRunning, flows: usage.flows };
    this.#metrics.used(usage);
    const mostBytes = this.#parts.config.flows.maxMemoryBytes + OUTSIDE_HEAP_BYTES;
    if (usage.residentBytes > mostBytes)
      this.#kill('memory', `Node-RED has ${usage.residentBytes} bytes of memory, and may have ${mostBytes}`);
  }

  /** Looks for a sign of life. Ticks are counted, not time: when the platform itself stood still, they did too. */
  #look(): void {
    if (this.#state.name !== 'running' && this.#state.name !== 'starting') return;
    this.#silentTicks += 1;
    const { heartbeatTimeoutMs } = this.#parts.config.flows;
    const allowed = Math.ceil(heartbeatTimeoutMs / LOOK_MS);
    const most = this.#state.name === 'starting' ? Math.max(allowed, START_TICKS) : allowed;
    if (this.#silentTicks > most)
      this.#kill(
        'heartbeat',
        `Node-RED gave no sign of life for ${most} s: a flow may be in an endless loop`,
      );
  }

  #kill(reason: RestartReason, why: string): void {
    if (this.#killedFor !== undefined) return;
    this.#killedFor = reason;
    this.#fault = why;
    this.#child?.kill();
  }

  #onExit({ how, isOutOfMemory }: { how: string; isOutOfMemory: boolean }): void {
    this.#child = undefined;
    if (this.#state.name === 'stopped') {
      this.#metrics.ended(undefined);
      return;
    }
    const reason = this.#killedFor ?? (isOutOfMemory ? 'memory' : 'exit');
    const why =
      this.#killedFor === undefined ? `Node-RED ended with ${this.#lastWords ?? how}` : this.#fault!;
    this.#fault = why;
    this.#metrics.ended(reason);
    const { pauseMs, isSafeMode } = this.#restarts.ended(reason, performance.now());
    this.#state = { name: 'waiting', why, pauseMs };
    this.#logger.error(
      { reason, pauseMs, isSafeMode },
      `${why}; it is started again${isSafeMode ? ' without its flows' : ''}`,
    );
    this.#pause = setTimeout(() => this.#launch(isSafeMode), pauseMs);
  }
}
