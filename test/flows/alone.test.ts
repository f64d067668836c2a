import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { runTidemark, settingsFor, startPlatform } from '../support/platform-process.ts';
import { deploy, flowThatRuns, until } from '../support/supervised-flows.ts';
import { tempDir } from '../support/temp-dir.ts';

const bin = fileURLToPath(new URL('../../cli/bin/tidemark.js', import.meta.url));

it('flows run alone beside a platform elsewhere, on a data folder of their own', async () => {
  const platform = await startPlatform({ dataDir: await tempDir() });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  const { child, flowsUrl } = await startAlone({
    TIDEMARK_FLOWS_API_URL: platform.httpUrl,
    TIDEMARK_FLOWS_MQTT_URL: platform.mqttUrl,
  });
  await until(
    () => fetch(`${flowsUrl}/settings`).then(({ status }) => status),
    (status) => status === 200,
  );
  // What a flow reads of its environment is where that platform is.
  const [tab, inject, fn] = flowThatRuns(
    "msg.url = env.get('TIDEMARK_FLOWS_API_URL') + '/health'; return msg;",
  );
  const ask = {
    id: 'ask',
    type: 'http request',
    z: 'tab1',
    method: 'GET',
    ret: 'obj',
    url: '',
    wires: [['keep']],
  };
  const keep = {
    id: 'keep',
    type: 'function',
    z: 'tab1',
    func: "flow.set('health', msg.payload)",
    outputs: 1,
    wires: [[]],
  };
  await deploy(flowsUrl, [tab!, inject!, { ...fn, wires: [['ask']] }, ask, keep]);
  const kept = await until(
    async () => (await (await fetch(`${flowsUrl}/context/flow/tab1/health`)).json()) as { msg?: string },
    ({ msg }) => msg !== undefined && msg !== '(undefined)',
  );
  expect(JSON.parse(kept.msg!)).toMatchObject({ name: 'tidemark', status: 'pass' });
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).toBe(0);
});

it('what cannot be split is refused, with what can', async () => {
  const dataDir = await tempDir();
  const env = settingsFor(dataDir, { TIDEMARK_ROLES: 'ingest' }) as Record<string, string>;
  const { code, stderr } = await runTidemark(['serve'], { env });
  expect(code).toBe(1);
  expect(stderr).toMatch(/roles: broker, ingest, alerts and api share one store.*flows alone/);
});

async function startAlone(env: Record<string, string>): Promise<{ child: ChildProcess; flowsUrl: string }> {
  const settings = { TIDEMARK_ROLES: 'flows', TIDEMARK_FLOWS_PORT: '0', TIDEMARK_FLOWS_EXAMPLES: 'false' };
  const child = spawn(process.execPath, [bin, 'serve', '--json'], {
    env: settingsFor(await tempDir(), { ...settings, ...env }),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { event, flowsUrl } = JSON.parse(line) as { event: string; flowsUrl: string };
  expect(event).toBe('flows');
  return { child, flowsUrl };
}
