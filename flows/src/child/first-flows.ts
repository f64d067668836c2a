import { existsSync } from 'node:fs';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FLOW_FILE } from './settings.ts';

interface FirstFlowsParts {
  userDir: string;
  examplesDir: string;
}

/**
 * Begins with the examples whose names begin with a number, where there are no flows: they work on the demo at once.
 * Flows that are there, also none at all, stay as they are. Answers how many examples it took.
 */
export async function ensureFirstFlows({ userDir, examplesDir }: FirstFlowsParts): Promise<number> {
  const path = join(userDir, FLOW_FILE);
  if (existsSync(path)) return 0;
  const names = (await readdir(examplesDir)).filter((name) => /^\d.*\.json$/.test(name)).sort();
  const files = await Promise.all(names.map((name) => readFile(join(examplesDir, name), 'utf8')));
  const nodes = files.flatMap((text) => JSON.parse(text) as { id: string }[]);
  // Examples share the node that says where the platform is.
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const draft = `${path}.new`;
  await writeFile(draft, `${JSON.stringify([...byId.values()], null, 4)}\n`);
  await rename(draft, path);
  return names.length;
}
