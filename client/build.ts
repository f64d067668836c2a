import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const clientDir = fileURLToPath(new URL('.', import.meta.url));
const distDir = join(clientDir, 'dist');
const tsc = fileURLToPath(new URL('../node_modules/.bin/tsc', import.meta.url));

/**
 * Makes the package as it ships in `dist`: JavaScript and types, since Node runs no TypeScript under node_modules.
 * `npm pack ./client/dist` makes a tarball of it.
 */
export function buildClient(): string {
  rmSync(distDir, { recursive: true, force: true });
  execFileSync(process.execPath, [tsc, '-p', join(clientDir, 'tsconfig.build.json')], { stdio: 'inherit' });
  const source = JSON.parse(readFileSync(join(clientDir, 'package.json'), 'utf8'));
  const { private: _private, scripts: _scripts, ...manifest } = source;
  const entries = Object.entries<string>(source.exports).map(([name, path]) => {
    const built = path.replace('./src/', './').replace(/\.ts$/, '');
    return [name, { types: `${built}.d.ts`, default: `${built}.js` }];
  });
  const shipped = { ...manifest, exports: Object.fromEntries(entries) };
  writeFileSync(join(distDir, 'package.json'), `${JSON.stringify(shipped, null, 2)}\n`);
  copyFileSync(join(clientDir, 'README.md'), join(distDir, 'README.md'));
  copyFileSync(join(clientDir, '../LICENSE'), join(distDir, 'LICENSE'));
  return distDir;
}

if (import.meta.main) buildClient();
