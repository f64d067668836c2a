import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { startFlowsAlone } from '../support/flows-process.ts';
import { runTidemark, settingsFor, startPlatform } from '../support/platform-process.ts';
import { deploy, flowThatRuns, until } from '../support/supervised-flows.ts';
import { tempDir } from '../support/temp-dir.ts';

it('flows run alone beside a platform elsewhere, on a data folder of their own', async () => {
  const platform = await startPlatform({ dataDir: await tempDir() });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  const { child, flowsUrl, httpUrl } = await startFlowsAlone({
    TIDEMARK_FLOWS_API_URL: platform.httpUrl,
    TIDEMARK_FLOWS_MQTT_URL: platform.mqttUrl,
  });
  await until(
    () => fetch(`${flowsUrl}/settings`).then(({ status }) => status),
    (status) => status === 200,
  );
  // It tells of itself as the platform does.
  const ready = () => fetch(`${httpUrl}/ready`).then(({ status }) => status);
  await until(ready, (status) => status === 200);
  const health = await (await fetch(`${httpUrl}/health`)).json();
  expect(health).toMatchObject({ status: 'pass', checks: [{ name: 'flows', status: 'pass' }] });
  await until(
    async () => (await fetch(`${httpUrl}/metrics`)).text(),
    (text) => /^tidemark_flows_up 1$/m.test(text),
  );
  expect((await fetch(`${httpUrl}/api/v1/readings`)).status).toBe(404);
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
