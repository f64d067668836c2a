import { setTimeout as delay } from 'node:timers/promises';
import type { IPublishPacket } from 'mqtt-packet';
import { expect, it } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import {
  childrenOf,
  deploy,
  flowsCheck,
  flowThatRuns,
  isAlive,
  metricOf,
  startFlows,
  until,
  untilSpinning,
} from '../support/supervised-flows.ts';
import { tempDir } from '../support/temp-dir.ts';

const forEver = flowThatRuns('while (true) {}');
const impatient = { TIDEMARK_FLOWS_HEARTBEAT_TIMEOUT_MS: '2000' };

it('a flow in an endless loop costs ingest nothing, and is restarted, counted by reason, then left stopped', async () => {
  const { platform, flowsUrl } = await startFlows({ env: impatient });
  await deploy(flowsUrl, forEver);
  await untilSpinning(flowsUrl);

  // While it spins: everything is acknowledged, and stored.
  const client = await RawMqtt.connect(platform.mqttUrl, 'beside');
  for (let n = 1; n <= 2000; n++) client.publish('sensors/beside', JSON.stringify({ n }), { messageId: n });
  await client.until((packet) => packet.cmd === 'puback' && packet.messageId === 2000);
  client.end();
  const acknowledged = client.received.filter(({ cmd }) => cmd === 'puback').length;
  expect([acknowledged, (await allReadings(platform.httpUrl)).length]).toEqual([2000, 2000]);

  await until(
    () => metricOf(platform, 'tidemark_flows_restarts_total{reason="heartbeat"}'),
    (count) => count >= 3,
  );
  const { status, message } = await until(
    () => flowsCheck(platform),
    ({ message }) => message.startsWith('flows are stopped'),
  );
  expect([status, message]).toEqual(['fail', expect.stringMatching(/endless loop.*mend them.*deploy/)]);
  expect(await metricOf(platform, 'tidemark_flows_safe_mode')).toBe(1);
  expect((await fetch(`${platform.httpUrl}/ready`)).status).toBe(200);

  // The way out: mended in the editor, flows run again.
  await deploy(flowsUrl, flowThatRuns('return msg;'));
  await until(
    () => flowsCheck(platform),
    ({ status, message }) => status === 'pass' && message.endsWith('1 flows'),
  );
  expect(await metricOf(platform, 'tidemark_flows_restarts_total{reason="heartbeat"}')).toBe(3);
});

it('an error that no node catches ends Node-RED, and /health says which', async () => {
  const { platform, flowsUrl } = await startFlows();
  await deploy(flowsUrl, flowThatRuns("(async () => { throw new Error('the fan is gone'); })();"));
  const { message } = await until(
    () => flowsCheck(platform),
    ({ message }) => message.startsWith('flows are stopped'),
  );
  expect(message).toContain('uncaught: Error: the fan is gone');
  expect(await metricOf(platform, 'tidemark_flows_restarts_total{reason="exit"}')).toBe(3);
});

it('Node-RED that is killed comes back, at the same port and with its flows', async () => {
  const { platform, flowsUrl } = await startFlows();
  const flows = flowThatRuns('flow.set("ran", true);');
  await deploy(flowsUrl, flows);
  const [first] = childrenOf(platform.child.pid!);
  process.kill(first!, 'SIGKILL');
  await until(
    () => metricOf(platform, 'tidemark_flows_restarts_total{reason="exit"}'),
    (count) => count === 1,
  );
  await until(
    () => flowsCheck(platform),
    ({ message }) => message.startsWith('Node-RED on port'),
  );
  const [second] = childrenOf(platform.child.pid!);
  expect(second).not.toBe(first);
  expect(await (await fetch(`${flowsUrl}/flows`)).json()).toEqual(flows);
});

it.each([
  ['rests', 'return msg;', async () => {}],
  ['is in an endless loop', 'while (true) {}', untilSpinning],
])('Node-RED that %s ends with a platform that is killed', async (_what, code, untilSo) => {
  const { platform, flowsUrl } = await startFlows();
  const [child] = childrenOf(platform.child.pid!);
  await deploy(flowsUrl, flowThatRuns(code));
  await untilSo(flowsUrl);
  await platform.end('SIGKILL');
  while (isAlive(child!)) await delay(50);
});

it('a stop takes Node-RED along, also one in an endless loop', async () => {
  const { platform, flowsUrl } = await startFlows();
  const [child] = childrenOf(platform.child.pid!);
  await deploy(flowsUrl, forEver);
  await untilSpinning(flowsUrl);
  expect(await platform.end('SIGTERM')).toBe(0);
  expect(isAlive(child!)).toBe(false);
});

it('begins with the numbered examples, which work as they are, and never brings them back', async () => {
  const dataDir = await tempDir();
  const first = await startFlows({ dataDir, env: { TIDEMARK_FLOWS_EXAMPLES: 'true' } });
  const client = await RawMqtt.connect(first.platform.mqttUrl, 'fan');
  client.send({
    cmd: 'subscribe',
    messageId: 60_000,
    subscriptions: [{ topic: 'commands/fan/set', qos: 0 }],
  });
  // The threshold node has made its rule.
  await until(
    async () =>
      ((await (await fetch(`${first.platform.httpUrl}/api/v1/rules`)).json()) as { count: number }).count,
    (count) => count > 0,
  );
  client.publish('sensors/greenhouse-1', '{"temperature": 35}');
  const command = await client.until(({ cmd }) => cmd === 'publish');
  expect(String((command as IPublishPacket).payload)).toBe('ON');
  client.end();
  await deploy(first.flowsUrl, []);
  await first.platform.end('SIGTERM');
  const second = await startFlows({ dataDir, env: { TIDEMARK_FLOWS_EXAMPLES: 'true' } });
  expect(await (await fetch(`${second.flowsUrl}/flows`)).json()).toEqual([]);
});
