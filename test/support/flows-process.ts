import { type ChildProcess, spawn } from 'node:child_process';
import { on } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { settingsFor } from './platform-process.ts';
import { tempDir } from './temp-dir.ts';

const bin = fileURLToPath(new URL('../../cli/bin/tidemark.js', import.meta.url));

/** `tidemark serve` with flows alone, on free ports; it ends with the test. */
export interface FlowsAlone {
  child: ChildProcess;
  /** Of its health and metrics. */
  httpUrl: string;
  /** Of Node-RED. */
  flowsUrl: string;
}

/** Resolves when Node-RED listens. */
export async function startFlowsAlone(env: Record<string, string>): Promise<FlowsAlone> {
  const settings = { TIDEMARK_ROLES: 'flows', TIDEMARK_FLOWS_PORT: '0', TIDEMARK_FLOWS_EXAMPLES: 'false' };
  const child = spawn(process.execPath, [bin, 'serve', '--json'], {
    env: settingsFor(await tempDir(), { ...settings, ...env }),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let httpUrl = '';
  for await (const [line] of on(createInterface({ input: child.stdout }), 'line', { close: ['close'] })) {
    const told = JSON.parse(line as string) as { event: string; httpUrl: string; flowsUrl: string };
    if (told.event === 'ready') ({ httpUrl } = told);
    if (told.event === 'flows') return { child, httpUrl, flowsUrl: told.flowsUrl };
  }
  throw new Error('flows ended before they were ready');
}
