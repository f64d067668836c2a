import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const clientDir = join(root, 'client');

let userDir: string;

/** A user's folder with the package installed from its tarball. */
beforeAll(async () => {
  userDir = await mkdtemp(join(tmpdir(), 'tidemark-client-'));
  await run(process.execPath, [join(clientDir, 'build.ts')]);
  await run('npm', ['pack', '--silent', '--pack-destination', userDir], { cwd: join(clientDir, 'dist') });
  const [tarball] = (await readdir(userDir)).filter((name) => name.endsWith('.tgz'));
  const installedDir = join(userDir, 'node_modules/@tidemark/client');
  for (const folder of [installedDir, join(userDir, 'node_modules/@grpc')])
    await mkdir(folder, { recursive: true });
  await run('tar', ['-xzf', join(userDir, tarball!), '--strip-components=1', '-C', installedDir]);
  for (const name of ['eventsource', 'prom-client', '@grpc/grpc-js'])
    await symlink(join(root, 'node_modules', name), join(userDir, 'node_modules', name));
});

afterAll(() => rm(userDir, { recursive: true, force: true }));

it('holds JavaScript and types, and nothing of the checkout', async () => {
  const files = await readdir(join(userDir, 'node_modules/@tidemark/client'), { recursive: true });
  expect(files.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))).toEqual([]);
  expect(files).toEqual(
    expect.arrayContaining(['index.js', 'index.d.ts', 'grpc/index.js', 'README.md', 'LICENSE']),
  );
});

it('does what its README shows, installed', async () => {
  const platform = await startPlatform({ dataDir: await tempDir() });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  const readme = await readFile(join(clientDir, 'README.md'), 'utf8');
  const examples = [...readme.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code!);
  expect(examples).toHaveLength(5);
  const outputs: string[] = [];
  for (const [index, code] of examples.entries()) {
    const file = join(userDir, `example-${index}.mjs`);
    await writeFile(file, code.replaceAll('http://127.0.0.1:8080', platform.httpUrl));
    outputs.push((await run(process.execPath, [file], { cwd: userDir, timeout: 60_000 })).stdout);
  }
  expect(outputs[0]).toMatch(/id: 'greenhouse-1@\d+'[\s\S]*21\.5/);
  expect(outputs[1]).toBe('0\n');
  expect(outputs[2]).toMatch(/^\d+ 71\.5\n$/);
  expect(outputs[3]).toBe('hall-1\n');
  expect(outputs[4]).toContain('grpc_client_started_total');
  const stored = await fetch(`${platform.httpUrl}/api/v1/windows?metric=flow&fn=count&every=1d&from=now-1d`);
  const { items } = (await stored.json()) as { items: { count: number }[] };
  expect(items.reduce((sum, { count }) => sum + count, 0)).toBe(2000);
});

it('resumes a live stream when the platform comes back, and tells of refusals', async () => {
  const dataDir = await tempDir();
  let platform = await startPlatform({ dataDir });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  const file = join(userDir, 'resume.mjs');
  await writeFile(
    file,
    `import { TidemarkClient } from '@tidemark/client';
     const client = new TidemarkClient({ url: '${platform.httpUrl}' });
     const bad = await client.record({ sensor: 'a/b', n: 1 }).catch((error) => error);
     console.log(bad.status, bad.code, bad.retryable);
     for await (const event of client.live({ sensor: 'r', after: '0' })) {
       if (event.kind !== 'reading') continue;
       console.log('live', event.reading.n);
       if (event.reading.n === 3) break;
     }`,
  );
  const child = spawn(process.execPath, [file], { cwd: userDir, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => (await lines.next()).value as string;
  const record = (n: number) =>
    fetch(`${platform.httpUrl}/api/v1/readings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sensor: 'r', n }),
    });
  await record(1);
  expect(await next()).toBe('422 nothing_accepted false');
  expect(await next()).toBe('live 1');
  const { port } = new URL(platform.httpUrl);
  await platform.end('SIGTERM');
  platform = await startPlatform({ dataDir, env: { TIDEMARK_HTTP_PORT: port } });
  await record(2);
  await record(3);
  const seen: string[] = [];
  while (seen.at(-1) !== 'live 3') seen.push(await next());
  expect([...new Set(seen)].filter((line) => line !== 'live 1')).toEqual(['live 2', 'live 3']);
});
