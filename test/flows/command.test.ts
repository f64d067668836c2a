import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { flowOf } from '../support/flow.ts';
import { startFlows, type TestFlows } from '../support/flows-platform.ts';

let flows: TestFlows;
let device: MqttClient;
beforeAll(async () => {
  flows = await startFlows();
  device = await connectAsync(flows.mqttUrl);
});
afterAll(async () => {
  await device.endAsync(true);
  await flows.stop();
});
beforeEach(() => flows.nodeRed.forget());

/** Listens as the actuator: what `answer` makes of a command is published as its state. */
async function actuate(name: string, answer: (payload: string) => string | undefined): Promise<string[]> {
  const heard: string[] = [];
  await device.subscribeAsync(`commands/${name}/set`, { qos: 1 });
  device.on('message', (topic, payload) => {
    if (topic !== `commands/${name}/set`) return;
    heard.push(payload.toString());
    const state = answer(payload.toString());
    if (state !== undefined) device.publish(`commands/${name}/state`, state, { qos: 1 });
  });
  return heard;
}

it('publishes what it is given, and goes on once the broker has it', async () => {
  const heard = await actuate('fan', () => undefined);
  const { nodeRed } = flows;
  await nodeRed.deploy(flowOf([{ id: 'fan', type: 'tidemark-command' }]));
  nodeRed.inject('fan', { payload: 'ON' });
  nodeRed.inject('fan', { payload: { level: 3 } });
  expect((await nodeRed.messages('out', 2)).map(({ payload }) => payload)).toEqual(['ON', { level: 3 }]);
  await expect.poll(() => heard).toEqual(['ON', '{"level":3}']);
});

it('waits for the confirmation that is expected', async () => {
  await actuate('pump', (payload) => `is ${payload}`);
  const { nodeRed } = flows;
  // Said long before: it confirms nothing.
  await device.publishAsync('commands/pump/state', 'is OFF', { qos: 1, retain: true });
  await nodeRed.deploy(
    flowOf([
      {
        id: 'pump',
        type: 'tidemark-command',
        topic: 'commands/pump/set',
        confirm: true,
        confirmTopic: 'commands/pump/state',
      },
    ]),
  );
  nodeRed.inject('pump', { payload: 'ON' });
  const [message] = await nodeRed.messages('out', 1);
  expect(message!.confirmation).toEqual({ topic: 'commands/pump/state', payload: 'is ON' });
});

it('hands what is not confirmed, and what cannot be published, to Catch nodes', async () => {
  await actuate('gate', () => 'stuck');
  const { nodeRed } = flows;
  await nodeRed.deploy(
    flowOf([
      {
        id: 'gate',
        type: 'tidemark-command',
        topic: 'commands/gate/set',
        confirm: true,
        confirmTopic: 'commands/gate/state',
        confirmPayload: 'open',
        timeout: '200ms',
      },
    ]),
  );
  nodeRed.inject('gate', { payload: 'open' });
  nodeRed.inject('gate', { payload: 'open', commandTopic: 'alerts/a/b' });
  const errors = (await nodeRed.messages('errors', 2)).map(({ error }) => (error as Error).message).sort();
  expect(errors).toEqual([
    'Error: "alerts/a/b" is no topic to command: no wildcards, and none of Tidemark\'s own',
    'Error: commands/gate/state did not confirm commands/gate/set within 200ms',
  ]);
  expect(nodeRed.messagesOf('out')).toEqual([]);
});
