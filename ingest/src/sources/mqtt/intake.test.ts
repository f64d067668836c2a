import {
  type Acceptor,
  createMetrics,
  type Outcome,
  type Submission,
  TidemarkError,
  TopicClaims,
} from '@tidemark/core';
import type { IPublishPacket } from 'mqtt-packet';
import { expect, it } from 'vitest';
import { Intake } from './intake.ts';
import { ExternalMqttMetrics } from './metrics.ts';

type Done = (error?: TidemarkError) => void;

function createIntake() {
  const taken: { submission: Submission; done: Done }[] = [];
  const acceptor: Acceptor = {
    accept(submission: Submission, done: Done): Outcome {
      taken.push({ submission, done });
      return { ids: [], accepted: 1, rejected: [] };
    },
  };
  const beats: string[] = [];
  const sent: string[] = [];
  const flow: string[] = [];
  const unreleased = new Set<number>();
  const metrics = new ExternalMqttMetrics(createMetrics(), { isConnected: true, inFlight: 0 });
  const intake = new Intake({
    acceptor,
    heartbeats: {
      beat: async ({ service }) => {
        beats.push(service);
        return 0n;
      },
    },
    claims: new TopicClaims(),
    clientId: 'c',
    maxUnacknowledged: 4,
    maxPayloadBytes: 10,
    unreleased,
    metrics,
    write: (bytes) => sent.push(bytes.toString('hex')),
    pause: () => flow.push('pause'),
    resume: () => flow.push('resume'),
    fail: (error) => flow.push(`fail ${(error as TidemarkError).code}`),
  });
  const take = (messageId: number, fields: Partial<IPublishPacket> = {}): void =>
    intake.take({
      cmd: 'publish',
      topic: 'sensors/s/m',
      payload: Buffer.from('1'),
      qos: 1,
      dup: false,
      retain: false,
      messageId,
      ...fields,
    });
  const settle = async (index: number, error?: TidemarkError): Promise<void> => {
    taken[index]!.done(error);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { intake, taken, beats, sent, flow, unreleased, metrics, take, settle };
}

it('acknowledges what is durable, in the order of the messages, and all of a commit at once', async () => {
  const { sent, take, settle } = createIntake();
  take(1);
  take(2, { qos: 2 });
  take(3, { topic: 'elsewhere' });
  await settle(1);
  expect(sent).toEqual([]);
  await settle(0);
  expect(sent).toEqual(['40020001' + '50020002' + '40020003']);
});

it('a QoS 2 message whose PUBREC was lost is not taken twice; PUBREL frees its id', async () => {
  const { intake, taken, sent, unreleased, take, settle } = createIntake();
  take(5, { qos: 2 });
  await settle(0);
  take(5, { qos: 2, dup: true });
  await new Promise((resolve) => setImmediate(resolve));
  expect(taken).toHaveLength(1);
  expect(sent).toEqual(['50020005', '50020005']);
  intake.release(5);
  expect([...unreleased]).toEqual([]);
  expect(sent.at(-1)).toBe('70020005');
});

it('reads no further than its window, and goes on at half of it', async () => {
  const { flow, take, settle } = createIntake();
  for (const id of [1, 2, 3, 4]) take(id);
  expect(flow).toEqual(['pause']);
  await settle(0);
  expect(flow).toEqual(['pause']);
  await settle(1);
  expect(flow).toEqual(['pause', 'resume']);
});

it('acknowledges nothing from a message on that could not be kept', async () => {
  const { taken, sent, flow, take, settle } = createIntake();
  for (const id of [1, 2, 3]) take(id);
  await settle(0);
  await settle(1, new TidemarkError('spool_full', 'full', { retryable: true }));
  await settle(2);
  take(4);
  expect(sent).toEqual(['40020001']);
  expect(flow).toContain('fail spool_full');
  expect(taken).toHaveLength(3);
});

it('counts a QoS 0 message that could not be kept, and goes on', async () => {
  const { flow, metrics, taken, take, settle } = createIntake();
  take(0, { qos: 0 });
  expect(taken[0]!.submission.delivery).toBeUndefined();
  await settle(0, new TidemarkError('spool_full', 'full', { retryable: true }));
  expect(metrics.dropped).toBe(1);
  expect(flow).not.toContain('fail spool_full');
});

it('says of a message which delivery it is, whether it is retained, and what is too long', async () => {
  const { taken, beats, metrics, take } = createIntake();
  take(7, { dup: true, retain: true });
  expect(taken[0]!.submission).toMatchObject({
    isRetained: true,
    delivery: { clientId: 'external c', messageId: 7, isDuplicate: true },
  });
  take(8, { payload: Buffer.from('x'.repeat(50)) });
  expect(taken[1]!.submission).toMatchObject({
    payload: Buffer.from('x'.repeat(10)),
    problem: { reason: 'too_long' },
  });
  take(9, { topic: 'heartbeats/pump' });
  expect(beats).toEqual(['pump']);
  expect([metrics.redelivered, metrics.readings]).toEqual([1, 2]);
});
