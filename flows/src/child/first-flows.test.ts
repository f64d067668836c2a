import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ensureFirstFlows } from './first-flows.ts';

async function folder(files: Record<string, unknown> = {}): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tidemark-flows-'));
  onTestFinished(() => rm(path, { recursive: true }));
  for (const [name, content] of Object.entries(files))
    await writeFile(join(path, name), JSON.stringify(content));
  return path;
}

const server = { id: 'server', type: 'tidemark-server' };
const examples = {
  '2-second.json': [{ id: 'tab2', type: 'tab' }, server],
  '1-first.json': [{ id: 'tab1', type: 'tab' }, server],
  'for-import-only.json': [{ id: 'tab3', type: 'tab' }],
};

it('begins with the numbered examples, in order, and with one of what they share', async () => {
  const userDir = await folder();
  expect(await ensureFirstFlows({ userDir, examplesDir: await folder(examples) })).toBe(2);
  const flows = JSON.parse(await readFile(join(userDir, 'flows.json'), 'utf8'));
  expect(flows).toEqual([{ id: 'tab1', type: 'tab' }, server, { id: 'tab2', type: 'tab' }]);
});

it('leaves flows alone that are there, also an empty file', async () => {
  const userDir = await folder({ 'flows.json': [] });
  expect(await ensureFirstFlows({ userDir, examplesDir: await folder(examples) })).toBe(0);
  expect(await readFile(join(userDir, 'flows.json'), 'utf8')).toBe('[]');
});
