import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { requireTool } from '@tidemark/store/testing';
import { expect, it, onTestFinished } from 'vitest';
import { findProgram } from '../support/find-program.ts';
import { type PlatformProcess, startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

const tidemarkBin = fileURLToPath(new URL('../../cli/bin/tidemark.js', import.meta.url));

/** A command that runs, and what it has printed. */
class Running {
  output = '';
  errors = '';
  readonly child: ChildProcess;
  readonly #waiters = new Set<() => void>();

  constructor(program: string, args: readonly string[], env: Record<string, string> = {}) {
    this.child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    onTestFinished(() => void this.child.kill('SIGKILL'));
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      for (const wake of this.#waiters) wake();
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
      for (const wake of this.#waiters) wake();
    });
  }

  async until(isThere: () => boolean): Promise<void> {
    while (!isThere()) await new Promise<void>((resolve) => void this.#waiters.add(resolve));
    this.#waiters.clear();
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    const [code] = await once(this.child, 'close');
    return code;
  }
}

async function post(platform: PlatformProcess, ...readings: Record<string, unknown>[]): Promise<void> {
  const response = await fetch(`${platform.httpUrl}/api/v1/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(readings),
  });
  expect(response.status).toBe(200);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

it('prints a line for each series that changes in a pipe, over a restart of the platform', async () => {
  const dataDir = await tempDir();
  const httpPort = await freePort();
  const env = { TIDEMARK_HTTP_PORT: String(httpPort) };
  let platform = await startPlatform({ dataDir, env });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  await post(platform, { sensor: 'kitchen', level: 10, time: 1 }, { sensor: 'kitchen', level: 30, time: 3 });
  const args = [tidemarkBin, 'live', '--url', platform.httpUrl, '--sensor', 'kitchen', '--after', '0'];
  const text = new Running(process.execPath, args);
  const json = new Running(process.execPath, [...args, '--json']);
  const first = 'sensor=kitchen metric=level count=2 mean=20 min=10 max=30 last=30 rate=10 per_s=';
  await text.until(() => text.output.includes(first));
  await json.until(() => json.output.includes('"count":2'));

  await platform.end('SIGKILL');
  await text.until(() => text.errors.includes('connection lost'));
  platform = await startPlatform({ dataDir, env });
  await post(platform, { sensor: 'kitchen', level: 50, time: 5 }, { sensor: 'hall', level: 1 });
  await text.until(() => text.output.includes('count=3 mean=30 min=10 max=50 last=50 rate=10 '));
  await json.until(() => json.output.includes('"count":3'));
  expect(text.output).not.toContain('hall');
  const told = json.output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(told.at(-1)).toMatchObject({
    sensor: 'kitchen',
    metric: 'level',
    count: 3,
    mean: 30,
    last: 50,
    rate: 10,
  });
  expect(await text.end('SIGINT')).toBe(0);
  expect(await json.end('SIGTERM')).toBe(0);
  await platform.end('SIGTERM');
});

it.skipIf(!requireTool('script', findProgram('script')))(
  'draws a table on a terminal, and gives the terminal back',
  async () => {
    const dataDir = await tempDir();
    const platform = await startPlatform({ dataDir });
    onTestFinished(async () => void (await platform.end('SIGTERM')));
    onTestFinished(async () => void (await platform.end('SIGTERM')));
    await post(platform, ...Array.from({ length: 40 }, (_, n) => ({ sensor: `s-${n}`, level: n, time: 1 })));
    // 20 lines of 60 columns.
    const command = `stty rows 20 cols 60; exec ${process.execPath} ${tidemarkBin} live --url ${platform.httpUrl} --after 0`;
    const terminal = new Running('script', ['-qfec', command, '/dev/null'], { TERM: 'xterm' });
    await terminal.until(() => terminal.output.includes('… and 23 more series'));
    expect(terminal.output).toContain('\x1b[?1049h\x1b[?25l');
    expect(terminal.output).toContain('live from');
    const frame = terminal.output.split('\x1b[H').at(-1)!.split('\r\n');
    expect(frame).toHaveLength(20);
    await post(platform, { sensor: 's-0', level: 99, time: 2 });
    await terminal.until(() => /s-0 +level +2 /.test(terminal.output));
    const closed = once(terminal.child, 'close');
    terminal.child.stdin!.write('\x03');
    expect((await closed)[0]).toBe(0);
    expect(terminal.output.split('\x1b[?25h\x1b[?1049l')).toHaveLength(2);
    await platform.end('SIGTERM');
  },
);

it('says once, in a pipe, that no platform is there, and waits for it', async () => {
  const dataDir = await tempDir();
  const httpPort = await freePort();
  const url = `http://127.0.0.1:${httpPort}`;
  const early = new Running(process.execPath, [tidemarkBin, 'live', '--url', url]);
  await early.until(() => early.errors.includes(`no answer from ${url}`));
  const platform = await startPlatform({ dataDir, env: { TIDEMARK_HTTP_PORT: String(httpPort) } });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  for (let n = 1; early.output === ''; n++) {
    await post(platform, { sensor: 'kitchen', level: n });
    await delay(100);
  }
  expect(early.errors.match(/no answer/g)).toHaveLength(1);
  expect(await early.end('SIGINT')).toBe(0);
});

it('says that a platform refuses it', async () => {
  const dataDir = await tempDir();
  const platform = await startPlatform({ dataDir });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  const refused = new Running(process.execPath, [
    tidemarkBin,
    'live',
    '--url',
    platform.httpUrl,
    '--after',
    'nonsense',
  ]);
  const [code] = await once(refused.child, 'close');
  expect(code).toBe(1);
  expect(refused.errors).toMatch(/^tidemark: the live stream was refused: 400/);
  await platform.end('SIGTERM');
});
