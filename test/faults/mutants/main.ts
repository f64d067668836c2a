// `npm run test:mutants` takes the mechanism out that each case stands on, one patch at a time in a copy of the
// checkout, and sees the short form of the case fail; `-- a-replay` one patch. A patch is `<letter>-<what>.patch`.
import { execFile, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** A fault at random points may miss the hole in one run; a mutant survives when it passes all of these. */
const TRIES = 3;
const checkout = fileURLToPath(new URL('../../../', import.meta.url));
const patchFolder = fileURLToPath(new URL('./', import.meta.url));
const git = (args: readonly string[], cwd: string) => promisify(execFile)('git', args, { cwd });
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

interface Line {
  patch: string;
  outcome: 'caught' | 'survived' | 'no longer applies' | 'skipped';
  detail: string;
}

const wanted = process.argv.slice(2);
const patches = (await readdir(patchFolder)).filter((name) => name.endsWith('.patch')).sort();
const lines: Line[] = [];
for (const patch of patches) {
  if (wanted.length > 0 && !wanted.some((name) => patch.startsWith(name))) continue;
  if (interrupted.signal.aborted) break;
  lines.push(await tryPatch(patch));
  const { outcome, detail } = lines.at(-1)!;
  process.stdout.write(`${outcome.padEnd(17)} ${patch.replace('.patch', '').padEnd(34)} ${detail}\n`);
}
const escaped = lines.filter(({ outcome }) => outcome !== 'caught').length;
process.stdout.write(`\n${lines.length - escaped} of ${lines.length} mutants caught\n`);
process.exitCode = escaped > 0 || lines.length === 0 || interrupted.signal.aborted ? 1 : 0;

async function tryPatch(patch: string): Promise<Line> {
  const copy = await mkdtemp(join(tmpdir(), 'tidemark-mutant-'));
  try {
    await copyCheckout(copy);
    try {
      await git(['apply', join(patchFolder, patch)], copy);
    } catch (error) {
      return { patch, outcome: 'no longer applies', detail: lastLine((error as { stderr: string }).stderr) };
    }
    let hung = 0;
    for (let round = 1; round <= TRIES; round++) {
      const { code, output } = await runCase(copy, patch[0]!);
      const detail = firstReason(output);
      if (output.startsWith('skipped')) return { patch, outcome: 'skipped', detail };
      // A machine with other work may be the reason: it counts when it happens each time.
      if (/was not done within/.test(detail)) hung++;
      else if (code !== 0) return { patch, outcome: 'caught', detail };
    }
    if (hung === TRIES) return { patch, outcome: 'caught', detail: `its case hung ${TRIES} times` };
    return { patch, outcome: 'survived', detail: `its case passed ${TRIES - hung} of ${TRIES} times` };
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** What git knows of or would take, with the packages linked: the platform's own to the copy, the rest to here. */
async function copyCheckout(copy: string): Promise<void> {
  const { stdout } = await git(['ls-files', '--cached', '--others', '--exclude-standard', '-z'], checkout);
  for (const file of stdout.split('\0').filter((name) => name !== '')) {
    await mkdir(dirname(join(copy, file)), { recursive: true });
    // A file that was deleted and not committed yet is still listed.
    await cp(join(checkout, file), join(copy, file)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
  const modules = join(checkout, 'node_modules');
  await mkdir(join(copy, 'node_modules', '@tidemark'), { recursive: true });
  for (const name of await readdir(modules)) {
    if (name !== '@tidemark') await symlink(join(modules, name), join(copy, 'node_modules', name));
  }
  for (const name of await readdir(join(modules, '@tidemark'))) {
    await symlink(join(copy, name), join(copy, 'node_modules', '@tidemark', name));
  }
  // Outside a repository, git apply takes no file for ignored.
  await git(['init', '--quiet'], copy);
}

async function runCase(copy: string, id: string): Promise<{ code: number; output: string }> {
  const args = [join('test', 'faults', 'main.ts'), '--case', id, '--short'];
  const child = spawn(process.execPath, args, { cwd: copy, stdio: ['ignore', 'pipe', 'ignore'] });
  const end = (): void => void child.kill('SIGTERM');
  interrupted.signal.addEventListener('abort', end, { once: true });
  const exited = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
  const output = await text(child.stdout);
  const code = await exited;
  interrupted.signal.removeEventListener('abort', end);
  return { code, output };
}

/** The error's own sentence, on the line below the one that names the case. */
function firstReason(output: string): string {
  return (output.split('\n')[1] ?? '').trim().slice(0, 110);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
