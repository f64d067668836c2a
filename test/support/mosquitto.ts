import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { findProgram } from './find-program.ts';
import { freePort } from './free-port.ts';
import { tempDir } from './temp-dir.ts';

/** Where Debian has it, which is not on everybody's PATH. */
export const mosquittoBinary = findProgram('mosquitto') ?? findProgram('../sbin/mosquitto');

/**
 * Settings with which it keeps what it has over `kill -9`, written after each change: else it forgets the last half
 * hour. It is slow so.
 */
export const persistence = ['persistence true', 'autosave_on_changes true', 'autosave_interval 1'];

/** A real broker on loopback, with a folder of its own; it ends with the test. */
export class Mosquitto {
  readonly url: string;
  readonly #config: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(port: number, config: string) {
    this.#port = port;
    this.#config = config;
    this.url = `mqtt://127.0.0.1:${port}`;
  }

  static async start(settings: readonly string[] = ['allow_anonymous true']): Promise<Mosquitto> {
    const folder = await tempDir();
    const port = await freePort();
    const config = join(folder, 'mosquitto.conf');
    const lines = [
      `listener ${port} 127.0.0.1`,
      `persistence_location ${folder}/`,
      'max_inflight_messages 1000',
      'max_queued_messages 0',
      ...(process.getuid?.() === 0 ? ['user root'] : []),
      ...settings,
    ];
    writeFileSync(config, `${lines.join('\n')}\n`);
    const broker = new Mosquitto(port, config);
    await broker.run();
    onTestFinished(() => broker.kill());
    return broker;
  }

  /** Starts it, again after `kill`, with what it has kept. */
  async run(): Promise<void> {
    const child = spawn(mosquittoBinary!, ['-c', this.#config], { stdio: 'ignore' });
    this.#child = child;
    while (!(await answers(this.#port))) {
      if (child.exitCode !== null) throw new Error(`Mosquitto ended with ${child.exitCode}`);
      await delay(20);
    }
  }

  /** Ends it as `kill -9` does. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
