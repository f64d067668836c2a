import { type Acceptor, createMetrics, type Outcome, type Submission, TidemarkError } from '@tidemark/core';
import { expect, it } from 'vitest';
import { KafkaIntake } from './intake.ts';
import { KafkaMetrics } from './metrics.ts';
import { parseTopicTemplate } from './topic-template.ts';

type Done = (error?: TidemarkError) => void;

function createIntake(topics: readonly string[] = ['readings']) {
  const taken: { submission: Submission; done: Done }[] = [];
  const acceptor: Acceptor = {
    accept(submission: Submission, done: Done): Outcome {
      taken.push({ submission, done });
      return { ids: [], accepted: 1, rejected: [] };
    },
  };
  const failures: unknown[] = [];
  const intake = new KafkaIntake({
    acceptor,
    templates: new Map(topics.map((text) => [parseTopicTemplate(text).topic, parseTopicTemplate(text)])),
    groupId: 'g',
    maxPayloadBytes: 10,
    latestNs: () => 2_000_000_000_000_000_000n,
    metrics: new KafkaMetrics(createMetrics(), { inFlight: () => 0, isConnected: () => true }),
    onDurable: () => {},
    fail: (error) => failures.push(error),
  });
  const take = (offset: bigint, fields: object = {}): void =>
    intake.take({
      topic: 'readings',
      partition: 0,
      offset,
      leaderEpoch: 3,
      key: Buffer.from('k'),
      value: Buffer.from('{}'),
      timestamp: 1_700_000_000_000n,
      ...fields,
    });
  const settle = (index: number, error?: TidemarkError): void => taken[index]!.done(error);
  const offsets = (): unknown[] => intake.committable().map(({ partition, offset }) => [partition, offset]);
  return { intake, taken, failures, take, settle, offsets };
}

it('nothing is committed over a record that is not durable, also of another partition', () => {
  const { take, settle, offsets } = createIntake();
  take(10n);
  take(70n, { partition: 1 });
  take(11n);
  settle(1);
  settle(2);
  expect(offsets()).toEqual([]);
  settle(0);
  expect(offsets()).toEqual([
    [0, 12n],
    [1, 71n],
  ]);
});

it('what was committed is not committed again, and what was not is', () => {
  const { intake, take, settle, offsets } = createIntake();
  take(10n);
  settle(0);
  const committing = intake.committable();
  take(11n);
  settle(1);
  intake.noteCommitted(committing);
  expect(offsets()).toEqual([[0, 12n]]);
  intake.noteCommitted(intake.committable());
  expect(offsets()).toEqual([]);
});

it('a partition that comes from an earlier place again is not committed backwards', () => {
  const { take, settle, offsets } = createIntake();
  for (const offset of [10n, 11n, 10n]) take(offset);
  for (const index of [0, 1, 2]) settle(index);
  expect(offsets()).toEqual([[0, 12n]]);
});

it('takes nothing more when a record could not be kept, and commits nothing over it', () => {
  const { taken, failures, take, settle, offsets } = createIntake();
  for (const offset of [10n, 11n, 12n]) take(offset);
  settle(0);
  settle(1, new TidemarkError('spool_full', 'full', { retryable: true }));
  settle(2);
  take(13n);
  expect(taken).toHaveLength(3);
  expect(failures).toHaveLength(1);
  expect(offsets()).toEqual([[0, 11n]]);
});

it('gives a record the same time at each delivery, and another than its neighbours', () => {
  const { taken, take } = createIntake();
  for (const offset of [10n, 11n, 10n]) take(offset);
  take(12n, { timestamp: -1n });
  take(13n, { timestamp: 9_000_000_000_000n });
  expect(taken.map(({ submission }) => submission.delivery?.firstNs)).toEqual([
    1_700_000_000_000_000_010n,
    1_700_000_000_000_000_011n,
    1_700_000_000_000_000_010n,
    undefined,
    undefined,
  ]);
});

it.each([
  ['readings', 'k', { topic: 'readings' }],
  ['readings=sensors/{key}', 'kitchen', { topic: 'sensors/kitchen' }],
  ['readings=sensors/room/{topic}', undefined, { topic: 'sensors/room/readings' }],
  ['readings=sensors/{key}', undefined, { problem: { reason: 'bad_sensor' } }],
  ['readings=sensors/{key}', 'a/b', { problem: { reason: 'bad_sensor' } }],
  ['readings=sensors/{key}', Buffer.from([0xff]), { problem: { reason: 'bad_sensor' } }],
])('%s with key %s', (topic, key, expected) => {
  const { taken, take } = createIntake([topic]);
  take(1n, { key: key === undefined ? undefined : Buffer.from(key) });
  expect(taken[0]!.submission).toMatchObject({ source: 'kafka', ...expected });
});

it('keeps the beginning of a record that is too long, as refused; and passes over one without a value', () => {
  const { taken, take, offsets } = createIntake();
  take(1n, { value: Buffer.from('x'.repeat(100)) });
  expect(taken[0]!.submission).toMatchObject({
    payload: Buffer.from('x'.repeat(10)),
    problem: { reason: 'too_long' },
  });
  taken[0]!.done();
  take(2n, { value: undefined });
  expect(taken).toHaveLength(1);
  expect(offsets()).toEqual([[0, 3n]]);
});
