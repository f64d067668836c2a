import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import nodeRed from 'node-red';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { flowOf } from '../support/flow.ts';
import { type Item, NodeRed } from '../support/node-red.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const packageDir = join(root, 'flows/node-red');

let userDir: string;
let installedDir: string;

beforeAll(async () => {
  userDir = await mkdtemp(join(tmpdir(), 'tidemark-package-'));
  await run('npm', ['pack', '--silent', '--pack-destination', userDir], { cwd: packageDir });
  installedDir = join(userDir, 'node_modules/@tidemark/node-red');
  await mkdir(installedDir, { recursive: true });
  const [tarball] = (await readdir(userDir)).filter((name) => name.endsWith('.tgz'));
  await run('tar', ['-xzf', join(userDir, tarball!), '--strip-components=1', '-C', installedDir]);
  for (const name of ['eventsource', 'mqtt'])
    await symlink(join(root, 'node_modules', name), join(userDir, 'node_modules', name));
});
afterAll(() => rm(userDir, { recursive: true, force: true }));

it('holds plain JavaScript, examples, texts and icons, and nothing of the checkout', async () => {
  const files = await readdir(installedDir, { recursive: true });
  expect(files.filter((name) => name.endsWith('.ts'))).toEqual([]);
  expect(files).toEqual(
    expect.arrayContaining([
      'LICENSE',
      'README.md',
      'dist/icons/tidemark.svg',
      'dist/locales/en-US/tidemark-query.html',
      'dist/locales/en-US/tidemark-query.json',
      'examples/1-too-hot-fan.json',
    ]),
  );
});

it("is loaded from a user's folder by Node-RED, and works there", async () => {
  // Node-RED 4 requires what Node-RED 5 imports.
  const register = createRequire(import.meta.url)(join(installedDir, 'dist/tidemark-window.js'));
  expect(typeof register).toBe('function');

  const runtime = await NodeRed.start({ userDir, nodesDir: join(userDir, 'none') });
  try {
    const list = (await nodeRed.runtime.nodes.getNodeList({})) as unknown as Item[];
    const ours = list.filter(({ module }) => module === '@tidemark/node-red');
    expect(ours).toHaveLength(9);
    expect(ours.filter(({ local, enabled, err }) => local !== true || enabled !== true || err)).toEqual([]);
    const flow = flowOf([
      { id: 'roll', type: 'tidemark-window' },
      { id: 'in', type: 'tidemark-readings-in' },
    ]);
    // The port of the discard protocol: nothing answers there.
    await runtime.deploy(
      flow.map((node) => (node.id === 'server' ? { ...node, apiUrl: 'http://127.0.0.1:9' } : node)),
    );
    runtime.inject('roll', { payload: 3 });
    expect((await runtime.messages('out', 1))[0]!.payload).toBe(3);
    expect((await runtime.status('in', ({ fill }) => fill === 'red')).text).toMatch(/^disconnected: /);
  } finally {
    await runtime.stop();
  }
});
