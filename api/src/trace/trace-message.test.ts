import { type IngestTraced, readingToPoint, systemClock, type TraceStep } from '@tidemark/core';
import { expect, it } from 'vitest';
import { traceMessage } from './trace-message.ts';

const point = readingToPoint({
  sensor: 'a',
  location: undefined,
  timeNs: systemClock.nowNs(),
  values: [['v', 1]],
});
const rejected = [{ index: 0, code: 'type_conflict' as const, detail: 'is float' }];
const message = { topic: 'sensors/a/v', payload: Buffer.from('1'), user: undefined };

function traced(broker: TraceStep[], ingest: IngestTraced, maxAgeNs?: bigint) {
  return traceMessage(message, {
    clock: systemClock,
    brokerTrace: { traceMessage: () => [...broker] },
    ingestTrace: { trace: async () => ingest },
    storage: { maxAgeOf: () => maxAgeNs, state: () => Promise.reject(new Error('not asked')) },
    engine: { latest: async () => [] } as never,
  });
}

const step = (name: TraceStep['step'], status: TraceStep['status'] = 'passed'): TraceStep => ({
  step: name,
  status,
  message: name,
});

it.each([
  ['nothing that stops it is stored', [], [step('store')], [], { outcome: 'stored', stopsAt: undefined }],
  ['a full disk holds it', [], [step('spool', 'stopped')], [], { outcome: 'held', stopsAt: 'spool' }],
  [
    'a store that is down delays it',
    [],
    [step('store', 'stopped')],
    [],
    { outcome: 'delayed', stopsAt: 'store' },
  ],
  [
    'a refusal of the store',
    [],
    [step('store', 'stopped')],
    rejected,
    { outcome: 'quarantined', stopsAt: 'store' },
  ],
  [
    'a message that holds nothing',
    [],
    [step('decode', 'stopped')],
    [],
    { outcome: 'nothing', stopsAt: 'decode' },
  ],
  ['a broker that refuses', [step('broker', 'stopped')], [], [], { outcome: 'refused', stopsAt: 'broker' }],
] as const)('%s', async (_what, broker, steps, refused, expected) => {
  const told = await traced([...broker], { steps: [...steps], points: [point], rejected: refused });
  expect(told).toMatchObject(expected);
  expect(told.steps.map((one) => one.step)).toEqual([
    ...[
      'broker',
      'access',
      'topic',
      'decode',
      'validation',
      'registry',
      'quality',
      'spool',
      'store',
      'query',
    ],
  ]);
});

it('a point older than is kept is stored, and not for long', async () => {
  const told = await traced(
    [],
    { steps: [], points: [{ ...point, timeNs: 1n }], rejected: [] },
    86_400_000_000_000n,
  );
  expect(told).toMatchObject({ outcome: 'stored', stopsAt: 'query' });
  expect(told.steps.at(-1)!.message).toContain('older than readings is kept');
});
