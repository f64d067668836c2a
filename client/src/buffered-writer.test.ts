import { expect, it, vi } from 'vitest';
import { BufferedWriter } from './buffered-writer.ts';
import { TidemarkClientError } from './errors.ts';
import type { NewReading, WriteResult } from './types.ts';

/** A platform whose answers a test gives, in order; then it takes everything. */
function platform(...answers: (Error | Partial<WriteResult>)[]) {
  const stored: NewReading[] = [];
  const batches: number[] = [];
  const send = async (readings: readonly NewReading[]): Promise<WriteResult> => {
    batches.push(readings.length);
    const answer = answers.shift() ?? {};
    if (answer instanceof Error) throw answer;
    const { rejected = [] } = answer;
    const kept = readings.filter((_reading, index) => !rejected.some((one) => one.index === index));
    stored.push(...kept);
    return { accepted: kept.length, ids: [], rejected };
  };
  return { stored, batches, send };
}

const unreachable = new TidemarkClientError('no answer', { status: 0, code: 'unreachable', retryable: true });
const readingOf = (n: number): NewReading => ({ sensor: 'a', n });

it('sends in batches and in order, and again what was not answered', async () => {
  const { stored, batches, send } = platform({}, unreachable, unreachable, {});
  const writer = new BufferedWriter(send, { batchReadings: 10, retryMs: 1 });
  for (let n = 0; n < 25; n++) await writer.write(readingOf(n));
  await writer.flush();
  expect(stored.map(({ n }) => n)).toEqual(Array.from({ length: 25 }, (_, n) => n));
  expect(batches.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(25);
  expect(writer.waiting).toBe(0);
});

it('gives each reading a time of its own before it is sent, and the same when it is sent again', async () => {
  const seen: unknown[][] = [];
  const { send } = platform(unreachable);
  const writer = new BufferedWriter(
    (readings) => {
      seen.push(readings.map(({ time }) => time));
      return send(readings);
    },
    { retryMs: 1 },
  );
  for (let n = 0; n < 5; n++) await writer.write(readingOf(n));
  await writer.flush();
  expect(new Set(seen[0]).size).toBe(5);
  expect(seen[1]).toEqual(seen[0]);
});

it('holds no more than it may: write waits for room', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { stored, send } = platform();
  const writer = new BufferedWriter(
    async (readings) => {
      await held;
      return send(readings);
    },
    { maxReadings: 4, batchReadings: 2 },
  );
  for (let n = 0; n < 4; n++) await writer.write(readingOf(n));
  let isTaken = false;
  const waiting = writer.write(readingOf(4)).then(() => {
    isTaken = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isTaken).toBe(false);
  expect(writer.waiting).toBe(4);
  release();
  await waiting;
  await writer.flush();
  expect(stored).toHaveLength(5);
});

it('tells what was refused, one of a batch or the whole of it', async () => {
  const refusal = new TidemarkClientError('422: none', {
    status: 422,
    code: 'nothing_accepted',
    retryable: false,
    body: { rejected: [{ index: 0, code: 'bad_sensor', detail: 'sensor is empty' }] },
  });
  const tooLarge = new TidemarkClientError('413', {
    status: 413,
    code: 'payload_too_large',
    retryable: false,
  });
  const onRejected = vi.fn();
  const { stored, send } = platform(
    { rejected: [{ index: 1, code: 'wrong_type', detail: 'n is an object' }] },
    refusal,
    tooLarge,
  );
  const writer = new BufferedWriter(send, { onRejected });
  for (const batch of [[0, 1], [2], [3, 4]]) {
    for (const n of batch) await writer.write(readingOf(n));
    await writer.flush();
  }
  expect(stored.map(({ n }) => n)).toEqual([0]);
  const told = onRejected.mock.calls.flat(2).map(({ reading, code }) => [reading.n, code]);
  expect(told).toEqual([
    [1, 'wrong_type'],
    [2, 'bad_sensor'],
    [3, 'payload_too_large'],
    [4, 'payload_too_large'],
  ]);
});

it('throws what was refused where nobody listens', async () => {
  const { send } = platform({ rejected: [{ index: 0, code: 'bad_sensor', detail: 'sensor is empty' }] });
  const writer = new BufferedWriter(send, {});
  await writer.write(readingOf(0));
  await expect(writer.flush()).rejects.toMatchObject({ code: 'bad_sensor' });
  await writer.flush();
});

it('gives back what it could not send when it is closed, and takes no more', async () => {
  const { stored, send } = platform(...Array.from({ length: 1000 }, () => unreachable));
  const writer = new BufferedWriter(send, { retryMs: 60_000 });
  await writer.write(readingOf(1));
  const { unsent } = await writer.close({ timeoutMs: 20 });
  expect(unsent).toMatchObject([{ n: 1 }]);
  expect(stored).toEqual([]);
  await expect(writer.write(readingOf(2))).rejects.toThrow('closed');
});
