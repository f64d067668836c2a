import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { flowOf } from '../support/flow.ts';
import { startFlows, type TestFlows } from '../support/flows-platform.ts';

let flows: TestFlows;
beforeAll(async () => {
  flows = await startFlows();
});
afterAll(() => flows.stop());
beforeEach(() => flows.nodeRed.forget());

it('sends each value of the sensors and metrics that are asked for', async () => {
  const { nodeRed, post } = flows;
  await nodeRed.deploy(flowOf([{ id: 'in', type: 'tidemark-readings-in', sensor: 'a', metric: 'v, late' }]));
  await nodeRed.status('in', ({ text }) => text === 'connected');
  await post({ sensor: 'b', v: 1 });
  await post({ sensor: 'a', v: 2, w: 3, late: 7 });
  const messages = await nodeRed.messages('out', 2);
  expect(messages.map(({ topic, payload }) => [topic, payload])).toEqual([
    ['a/v', 2],
    ['a/late', 7],
  ]);
  expect(messages[0]!.reading).toMatchObject({ sensor: 'a', v: 2, late: 7 });
});
