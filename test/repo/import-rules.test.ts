import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { tempDir } from '../support/temp-dir.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const biome = join(root, 'node_modules/.bin/biome');

/** True when the linter refuses a file of the package for what it imports. */
async function isRefused(owner: string, imported: string): Promise<boolean> {
  const folder = join(await tempDir(), owner);
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, 'probe.ts'),
    `import { thing } from '${imported}';\n\nexport const other = thing;\n`,
  );
  const args = ['lint', '--vcs-enabled=false', `--config-path=${root}`, join(folder, 'probe.ts')];
  const { stdout, stderr } = spawnSync(biome, args, { encoding: 'utf8' });
  // A run that looked at nothing proves nothing.
  expect(stdout + stderr).toMatch(/Checked 1 file/);
  return /noRestrictedImports/.test(stdout + stderr);
}

it.each([
  ['core', '@tidemark/store'],
  ['influxql', '@tidemark/store'],
  ['store', '@tidemark/ingest'],
  ['broker', '@tidemark/store'],
  ['ingest', '@tidemark/broker'],
  ['ingest', '@tidemark/api'],
  ['alerts', '@tidemark/ingest'],
  ['alerts', '@tidemark/broker'],
  ['api', '@tidemark/ingest'],
  ['api', '@tidemark/alerts'],
  ['api', '@tidemark/cli'],
  ['flows', '@tidemark/store'],
  ['flows/node-red', '@tidemark/core'],
  ['flows', '../../broker/src/broker.ts'],
  ['grafana', '@tidemark/store'],
  ['web', '@tidemark/core'],
  ['api', '../../core/src/time.ts'],
  ['ingest', '../../../store/src/engine.ts'],
])('%s may not import %s', async (owner, imported) => {
  expect(await isRefused(owner, imported)).toBe(true);
});

it.each([
  ['store', '@tidemark/core'],
  ['store', '@tidemark/influxql/parser'],
  ['ingest', '@tidemark/store'],
  ['alerts', '@tidemark/store'],
  ['api', '@tidemark/store/testing'],
  ['api', '@tidemark/client/grpc'],
  ['cli', '@tidemark/broker'],
  ['flows', '@tidemark/core/host-policy'],
  ['store', './engine.ts'],
])('%s may import %s', async (owner, imported) => {
  expect(await isRefused(owner, imported)).toBe(false);
});
