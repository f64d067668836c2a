import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Spec } from './src/fields/spec.ts';

const packageDir = fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '');
const distDir = join(packageDir, 'dist');
const sourceDir = join(packageDir, 'src');
const sources = ['build.ts', 'package.json', 'icons', 'src'];
const external = ['eventsource', 'mqtt'];

/**
 * Builds the nodes as plain JavaScript where that is missing or older than its sources; returns the folder of the
 * package, which Node-RED loads as one of its `nodesDir`. Takes about a second, and some milliseconds when there is
 * nothing to do. Processes that start together may build at once: each loads whole nodes.
 */
export async function buildNodes(): Promise<string> {
  if (await isCurrent()) return packageDir;
  const draftDir = await mkdtemp(`${distDir}-`);
  try {
    await buildInto(draftDir);
    await publish(draftDir);
  } finally {
    await rm(draftDir, { recursive: true, force: true });
  }
  return packageDir;
}

async function buildInto(outDir: string): Promise<void> {
  const names = await readdir(join(sourceDir, 'nodes'));
  const common = JSON.parse(await readFile(join(sourceDir, 'locales/en-US.json'), 'utf8')) as object;
  await mkdir(join(outDir, 'locales/en-US'), { recursive: true });
  await Promise.all([
    buildRuntimes(names, outDir),
    cp(join(packageDir, 'icons'), join(outDir, 'icons'), { recursive: true }),
    // The sources are ES modules; what Node-RED 4 can load is not.
    writeFile(join(outDir, 'package.json'), '{ "type": "commonjs" }\n'),
    ...names.map((name) => buildEditor(name, { outDir, common })),
  ]);
}

async function buildRuntimes(names: readonly string[], outDir: string): Promise<void> {
  // Loaded here, since nodes that are built already need no build tool.
  const { rolldown } = await import('rolldown');
  const input = Object.fromEntries(
    names.map((name) => [`tidemark-${name}`, join(sourceDir, 'nodes', name, 'runtime.ts')]),
  );
  const bundle = await rolldown({ input, external, platform: 'node' });
  await bundle.write({ dir: outDir, format: 'cjs', exports: 'auto', chunkFileNames: 'shared/[name].js' });
  await bundle.close();
}

async function buildEditor(
  name: string,
  { outDir, common }: { outDir: string; common: object },
): Promise<void> {
  const nodeDir = join(sourceDir, 'nodes', name);
  const { rolldown } = await import('rolldown');
  const { formOf } = await import('./src/build/form.ts');
  const { spec } = (await import(pathToFileURL(join(nodeDir, 'spec.ts')).href)) as { spec: Spec };
  const bundle = await rolldown({ input: join(nodeDir, 'editor.ts'), platform: 'browser' });
  const { output } = await bundle.generate({ format: 'iife' });
  await bundle.close();
  const html = `<script type="text/javascript">\n${output[0].code}</script>\n${formOf(spec)}\n`;
  const texts = JSON.parse(await readFile(join(nodeDir, 'locales/en-US.json'), 'utf8')) as object;
  const help = await readFile(join(nodeDir, 'locales/en-US.html'), 'utf8');
  const localeFile = join(outDir, 'locales/en-US', spec.type);
  await Promise.all([
    writeFile(join(outDir, `${spec.type}.html`), html),
    writeFile(`${localeFile}.json`, JSON.stringify(merged(common, texts), undefined, 2)),
    writeFile(
      `${localeFile}.html`,
      `<script type="text/html" data-help-name="${spec.type}">\n${help}</script>\n`,
    ),
  ]);
}

/** Two catalogues as one, the second taking precedence. */
function merged(common: object, own: object): object {
  const entries = Object.entries(own).map(([key, value]) => {
    const shared = (common as Record<string, unknown>)[key];
    return [key, typeof shared === 'object' && shared !== null ? { ...shared, ...value } : value];
  });
  return { ...common, ...Object.fromEntries(entries) };
}

/** Puts what was built in place, unless another process has meanwhile: that may be loaded already. */
async function publish(draftDir: string): Promise<void> {
  try {
    // Fails where a build is, and is one step where none is.
    await rename(draftDir, distDir);
  } catch {
    if (await isCurrent()) return;
    await rm(distDir, { recursive: true, force: true });
    await rename(draftDir, distDir);
  }
}

async function isCurrent(): Promise<boolean> {
  const builtMs = await newestMs(join(distDir, 'package.json'));
  const changedMs = Math.max(...(await Promise.all(sources.map((name) => newestMs(join(packageDir, name))))));
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

if (import.meta.main) await buildNodes();
