import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { requireTool } from '@tidemark/store/testing';
import { expect, it } from 'vitest';
import { generateSparkplug, sparkplugDir } from '../../../generate-sparkplug.ts';

const protoc = (process.env.PATH ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'protoc'))
  .find((path) => existsSync(path));

it.skipIf(!requireTool('protoc', protoc))(
  'is what the proto file says; `npm run proto` makes it so',
  async () => {
    const fresh = await mkdtemp(join(tmpdir(), 'tidemark-generated-'));
    try {
      await generateSparkplug(fresh);
      const [kept, made] = await Promise.all(
        [sparkplugDir, fresh].map((folder) => readFile(join(folder, 'sparkplug_b.ts'), 'utf8')),
      );
      expect(kept).toBe(made);
    } finally {
      await rm(fresh, { recursive: true });
    }
  },
);
