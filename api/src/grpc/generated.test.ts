import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { requireTool } from '@tidemark/store/testing';
import { expect, it } from 'vitest';
import { generatedDir, generateGrpc } from '../../generate-grpc.ts';

const protoc = (process.env.PATH ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'protoc'))
  .find((path) => existsSync(path));

it.skipIf(!requireTool('protoc', protoc))(
  'is what the proto files say; `npm run proto` makes it so',
  async () => {
    const fresh = await mkdtemp(join(tmpdir(), 'tidemark-generated-'));
    try {
      await generateGrpc(fresh);
      expect(await textsOf(generatedDir)).toEqual(await textsOf(fresh));
    } finally {
      await rm(fresh, { recursive: true });
    }
  },
);

async function textsOf(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true });
  const names = entries.filter((name) => name.endsWith('.ts')).sort();
  expect(names.length).toBeGreaterThan(2);
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')])),
  );
}
