import {
  type Beat,
  createLogger,
  createMetrics,
  type Registry,
  TidemarkError,
  TopicClaims,
} from '@tidemark/core';
import type { Client, PublishPacket } from 'aedes';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Acceptance } from './acceptance.ts';
import { BrokerMetrics } from './metrics.ts';
import { HeldAcceptor } from './testing/held-acceptor.ts';

let nowMs: number;
let acceptor: HeldAcceptor;
let registry: Registry;
let acceptance: Acceptance;
let logged: unknown[];

beforeEach(() => {
  vi.useFakeTimers();
  nowMs = 0;
  acceptor = new HeldAcceptor();
  registry = createMetrics();
  const clock = { nowNs: () => 0n, monotonicMs: () => nowMs };
  const metrics = new BrokerMetrics(registry, { connectedClients: () => 0 });
  logged = [];
  const write = (line: string): void => void logged.push(JSON.parse(line));
  acceptance = new Acceptance({
    acceptor,
    claims: new TopicClaims(),
    heartbeats,
    clock,
    logger: createLogger('error', { write }),
    metrics,
  });
  acceptance.start();
});

afterEach(() => {
  acceptance.stop();
  vi.useRealTimers();
});

function pass(ms: number): void {
  for (let passedMs = 0; passedMs < ms; passedMs += 500) {
    nowMs += 500;
    vi.advanceTimersByTime(500);
  }
}

/** Heartbeats that are answered when a test says so. */
const heartbeats = {
  taken: [] as { beat: Beat; resolve: (timeNs: bigint) => void; reject: (error: Error) => void }[],
  beat(beat: Beat): Promise<bigint> {
    return new Promise((resolve, reject) => this.taken.push({ beat, resolve, reject }));
  },
};

it('holds a heartbeat until it is durable, and acknowledges what can never be taken', async () => {
  const topic = 'heartbeats/billing';
  const payload = '{"latency_ms": 3, "timeout_ms": 5000}';
  const callbacks = [1, 2].map(() => publish(newClient().client, 1, { topic, payload }));
  const [first, second] = heartbeats.taken.splice(0);
  expect(first!.beat).toEqual({ service: 'billing', latencyMs: 3, timeoutMs: 5000 });
  await Promise.resolve();
  expect(callbacks[0]).not.toHaveBeenCalled();
  first!.resolve(1n);
  second!.reject(new TidemarkError('bad_request', 'no such name'));
  await vi.waitFor(() => expect(callbacks[1]).toHaveBeenCalledWith());
  expect(callbacks[0]).toHaveBeenCalledWith();
});

it('goes on holding a heartbeat that may be taken later', async () => {
  const callback = publish(newClient().client, 1, { topic: 'heartbeats/x' });
  const [beat] = heartbeats.taken.splice(0);
  beat!.reject(new TidemarkError('spool_full', 'full', { retryable: true }));
  await Promise.resolve();
  pass(1000);
  expect(callback).not.toHaveBeenCalled();
});

function newClient(): { client: Client; destroy: ReturnType<typeof vi.fn> } {
  const destroy = vi.fn();
  return { client: { id: 'held', conn: { destroy } } as unknown as Client, destroy };
}

function publish(
  client: Client | null,
  qos: 0 | 1 = 1,
  { topic = 'sensors/a/n', payload = '1' } = {},
): ReturnType<typeof vi.fn> {
  const callback = vi.fn();
  const packet = {
    cmd: 'publish',
    topic,
    payload: Buffer.from(payload),
    qos,
    dup: false,
    retain: false,
  };
  acceptance.authorizePublish(client, { ...packet, messageId: 1 } as unknown as PublishPacket, callback);
  return callback;
}

async function heldTooLong(): Promise<number> {
  const counter = registry.getSingleMetric('tidemark_broker_held_connections_total');
  return (await counter!.get()).values[0]!.value;
}

it.each([
  ['is not yet durable', false],
  ['was refused', true],
])(
  'a connection whose message %s is closed after 5 s and never answered by an error',
  async (_what, isFull) => {
    acceptor.isFull = isFull;
    const { client, destroy } = newClient();
    const callback = publish(client);
    pass(4500);
    expect(destroy).not.toHaveBeenCalled();
    pass(1000);
    expect(destroy).toHaveBeenCalledOnce();
    expect(callback).not.toHaveBeenCalled();
    expect(await heldTooLong()).toBe(1);
    pass(10_000);
    expect(destroy).toHaveBeenCalledOnce();
  },
);

it('a client whose messages are answered in time stays, however long it goes on', () => {
  const { client, destroy } = newClient();
  for (let round = 0; round < 10; round++) {
    const callback = publish(client);
    pass(3000);
    acceptor.releaseAll();
    expect(callback).toHaveBeenCalledExactlyOnceWith();
  }
  expect(destroy).not.toHaveBeenCalled();
});

it('a later answer to a client that was closed is given, and closes nothing else', () => {
  const { client, destroy } = newClient();
  const callback = publish(client);
  pass(6000);
  acceptor.releaseAll();
  expect(callback).toHaveBeenCalledOnce();
  pass(6000);
  expect(destroy).toHaveBeenCalledOnce();
});

it('what comes without a client (a will) or at QoS 0 is answered at once', () => {
  acceptor.isFull = true;
  expect(publish(null)).toHaveBeenCalledExactlyOnceWith();
  expect(publish(newClient().client, 0)).toHaveBeenCalledExactlyOnceWith();
});

it('QoS 0 that the log has not taken when it stops, after the broker, is counted as lost and told of', async () => {
  for (let n = 0; n < 3; n++) publish(newClient().client, 0);
  publish(newClient().client, 1);
  acceptance.stop();
  acceptor.releaseAll(new TidemarkError('spool_failed', 'the disk is full', { retryable: true }));
  const dropped = registry.getSingleMetric('tidemark_broker_dropped_messages_total');
  expect((await dropped!.get()).values).toContainEqual(
    expect.objectContaining({ labels: { reason: 'spool_full' }, value: 3 }),
  );
  expect(logged).toMatchObject([{ times: 3, msg: expect.stringContaining('QoS 0 readings are lost') }]);
});
