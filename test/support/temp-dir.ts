import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A new temporary folder that is removed when the test ends. */
export async function tempDir(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tidemark-test-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}
