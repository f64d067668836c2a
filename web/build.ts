import { mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const webDir = fileURLToPath(new URL('.', import.meta.url));
const distDir = join(webDir, 'dist');
const sources = ['index.html', 'vite.config.ts', 'src'];

/**
 * Builds the page where it is missing or older than its sources; returns its folder.
 * Takes about a second, and some milliseconds when there is nothing to do. Processes that start together may
 * build it at once: each serves a whole page.
 */
export async function buildWeb(): Promise<string> {
  if (await isCurrent()) return distDir;
  // Loaded here, since a page that is built already needs no build tool.
  const { build } = await import('vite');
  const draftDir = await mkdtemp(`${distDir}-`);
  try {
    const pageDir = join(draftDir, 'page');
    await build({
      configFile: join(webDir, 'vite.config.ts'),
      build: { outDir: pageDir },
      logLevel: 'error',
    });
    await publish(pageDir);
  } finally {
    await rm(draftDir, { recursive: true, force: true });
  }
  return distDir;
}

/** Puts a built page in place, unless another process has meanwhile: that one may be served already. */
async function publish(pageDir: string): Promise<void> {
  try {
    // Fails where a page is, and is one step where none is.
    await rename(pageDir, distDir);
  } catch {
    if (await isCurrent()) return;
    await rm(distDir, { recursive: true, force: true });
    await rename(pageDir, distDir);
  }
}

async function isCurrent(): Promise<boolean> {
  const builtMs = await newestMs(join(distDir, 'index.html'));
  const changedMs = Math.max(...(await Promise.all(sources.map((name) => newestMs(join(webDir, name))))));
  return builtMs > changedMs;
}

/** When the file, or the newest file in the folder, was changed; 0 when there is none. */
async function newestMs(path: string): Promise<number> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) return 0;
  if (!info.isDirectory()) return info.mtimeMs;
  const names = await readdir(path);
  return Math.max(0, ...(await Promise.all(names.map((name) => newestMs(join(path, name))))));
}
