import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const webDir = fileURLToPath(new URL('.', import.meta.url));
const distDir = join(webDir, 'dist');
const sources = ['index.html', 'vite.config.ts', 'src'];

/**
 * Builds the page where it is missing or older than its sources; returns its folder.
 * Takes about a second, and some milliseconds when there is nothing to do.
 */
export async function buildWeb(): Promise<string> {
  const builtMs = await newestMs(join(distDir, 'index.html'));
  const changedMs = Math.max(...(await Promise.all(sources.map((name) => newestMs(join(webDir, name))))));
  if (builtMs > changedMs) return distDir;
  // Loaded here, since a page that is built already needs no build tool.
  const { build } = await import('vite');
  await build({ configFile: join(webDir, 'vite.config.ts'), logLevel: 'error' });
  return distDir;
}

/** When the file, or the newest file in the folder, was changed; 0 when there is none. */
async function newestMs(path: string): Promise<number> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) return 0;
  if (!info.isDirectory()) return info.mtimeMs;
  const names = await readdir(path);
  return Math.max(0, ...(await Promise.all(names.map((name) => newestMs(join(path, name))))));
}
