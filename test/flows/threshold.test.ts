import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { flowOf, sink } from '../support/flow.ts';
import { startFlows, type TestFlows } from '../support/flows-platform.ts';
import type { Item, Message } from '../support/node-red.ts';

let flows: TestFlows;
beforeAll(async () => {
  flows = await startFlows();
});
afterAll(() => flows.stop());
beforeEach(() => flows.nodeRed.forget());

function thresholdFlow(id: string, settings: Item): Item[] {
  const node = { id, type: 'tidemark-threshold', version: 1, severity: 'warning', ...settings };
  return flowOf([{ ...node, wires: [['raised'], ['cleared']] }, sink('raised'), sink('cleared')]);
}

const tooHot = { metric: 'temperature', condition: 'above', level: '30', clear: '28', sensors: 'hall-*' };

function shown({ topic, payload, raised }: Message) {
  return [topic, payload, raised];
}

it('raises each sensor once and clears it with hysteresis, by a rule of the platform', async () => {
  const { nodeRed, post, ask } = flows;
  await nodeRed.deploy(thresholdFlow('hot', tooHot));
  await nodeRed.status('hot', ({ text }) => text === 'clear');
  expect((await ask('GET', '/api/v1/rules/flow-hot')).json).toMatchObject({
    metric: 'temperature',
    above: 30,
    clear: 28,
    sensors: ['hall-*'],
    source: 'api',
  });
  for (const temperature of [31, 29, 32, 27]) await post({ sensor: 'hall-1', temperature });
  await post({ sensor: 'shed', temperature: 99 });
  await post({ sensor: 'hall-2', temperature: 33 });
  const raised = await nodeRed.messages('raised', 2);
  expect(raised.map(shown)).toEqual([
    ['hall-1/temperature', 31, 1],
    ['hall-2/temperature', 33, 1],
  ]);
  expect(raised[0]!.alert).toMatchObject({ id: 'flow-hot:hall-1', state: 'firing' });
  expect((await nodeRed.messages('cleared', 1)).map(shown)).toEqual([['hall-1/temperature', 27, 0]]);
  expect((await nodeRed.status('hot', ({ fill }) => fill === 'red')).text).toBe('1 raised');
});

it('raises nothing twice over a restart, and tells what came about meanwhile in order', async () => {
  const { nodeRed, post, ask } = flows;
  await nodeRed.deploy(thresholdFlow('warm', { ...tooHot, sensors: 'attic-*' }));
  await nodeRed.status('warm', ({ text }) => text === 'clear');
  await post({ sensor: 'attic-1', temperature: 31 });
  await nodeRed.messages('raised', 1);
  await nodeRed.restart(async () => {
    // Somebody takes it on: it is still the same alert.
    await ask('POST', '/api/v1/alerts/flow-warm:attic-1/ack', {});
    await post({ sensor: 'attic-2', temperature: 35 });
    await post({ sensor: 'attic-2', temperature: 20 });
    const states = async () =>
      ((await ask('GET', '/api/v1/alerts/history?sensor=attic-2')).json.items as Item[]).map(
        ({ state }) => state,
      );
    await expect.poll(states).toEqual(['resolved', 'firing']);
  });
  expect((await nodeRed.messages('cleared', 1)).map(shown)).toEqual([['attic-2/temperature', 20, 1]]);
  await post({ sensor: 'attic-1', temperature: 20 });
  await nodeRed.messages('cleared', 2);
  expect(nodeRed.messagesOf('raised').map(shown)).toEqual([
    ['attic-1/temperature', 31, 1],
    ['attic-2/temperature', 35, 2],
  ]);
});

it('raises what fires already when it is deployed, and keeps its rule when it is deployed anew', async () => {
  const { nodeRed, post, ask } = flows;
  const rule = async () => (await ask('GET', '/api/v1/rules/flow-old')).json;
  await nodeRed.deploy(thresholdFlow('old', { ...tooHot, sensors: 'barn-*' }));
  await nodeRed.status('old', ({ text }) => text === 'clear');
  const { updated } = await rule();
  await nodeRed.deploy(thresholdFlow('old', { ...tooHot, sensors: 'barn-*', name: 'Barn' }));
  await post({ sensor: 'barn-1', temperature: 31 });
  await nodeRed.messages('raised', 1);
  expect((await rule()).updated).toBe(updated);
  await nodeRed.deploy(thresholdFlow('old', { ...tooHot, sensors: 'barn-*', level: '29' }));
  // Another condition is another alert: the platform ends the one of before.
  expect((await nodeRed.messages('cleared', 1)).map(shown)).toEqual([['barn-1/temperature', 31, 0]]);
  expect(await rule()).toMatchObject({ above: 29 });
});

it('deletes its rule when it is deleted, and warns of a metric that nobody knows', async () => {
  const { nodeRed, ask } = flows;
  await nodeRed.deploy(thresholdFlow('gone', { ...tooHot, metric: 'tempreature' }));
  await nodeRed.status('gone', ({ text }) => text === 'clear');
  expect((await ask('GET', '/api/v1/rules/flow-gone')).status).toBe(200);
  await nodeRed.deploy(flowOf([]));
  expect((await ask('GET', '/api/v1/rules/flow-gone')).status).toBe(404);
});

it('hands a rule that the platform refuses to Catch nodes, with every reason', async () => {
  const { nodeRed } = flows;
  await nodeRed.deploy(thresholdFlow('bad', { ...tooHot, clear: '31', message: 'x'.repeat(1001) }));
  const [message] = await nodeRed.messages('errors', 1);
  expect((message!.error as Error).message).toMatch(/message .+; clear must not be above 30/);
  expect((await nodeRed.status('bad', ({ fill }) => fill === 'red')).text).toMatch(/^refused: message/);
});
