import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { tempDir } from '../../support/temp-dir.ts';
import type { Echo } from './echo.ts';

const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));
const page = fileURLToPath(new URL('../../../docs/observability.md', import.meta.url));

/** service.go, built with the Go example of docs/observability.md. */
export async function startGoEcho(go: string): Promise<ForeignEcho> {
  const folder = await tempDir();
  await writeFile(join(folder, 'metrics.go'), await exampleOf('go'));
  for (const name of ['service.go', 'go.mod', 'go.sum']) await copyFile(join(here, name), join(folder, name));
  await run(go, ['build', '-o', 'service', '.'], { cwd: folder });
  return start(join(folder, 'service'), [], folder);
}

/** service.py with the Python example of docs/observability.md. */
export async function startPythonEcho(python: string): Promise<ForeignEcho> {
  const folder = await tempDir();
  await writeFile(join(folder, 'grpc_metrics.py'), await exampleOf('python'));
  await copyFile(join(here, 'service.py'), join(folder, 'service.py'));
  return start(python, ['service.py'], folder);
}

export interface ForeignEcho extends Echo {
  /** Where Prometheus scrapes: `host:port`. */
  metricsAddress: string;
}

/** The page's only example in that language. */
async function exampleOf(language: string): Promise<string> {
  const examples = [
    ...(await readFile(page, 'utf8')).matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms')),
  ];
  if (examples.length !== 1) throw new Error(`${examples.length} examples in ${language}, not 1`);
  return examples[0]![1]!;
}

async function start(program: string, args: readonly string[], cwd: string): Promise<ForeignEcho> {
  const child = spawn(program, args, { cwd, stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${program} ended`);
    return JSON.parse(value);
  };
  const { address, metrics } = await next();
  return {
    address,
    metricsAddress: metrics,
    metrics: async () => (await fetch(`http://${metrics}/metrics`)).text(),
    call: (callee) => {
      child.stdin.write(`${callee}\n`);
      return next();
    },
  };
}
