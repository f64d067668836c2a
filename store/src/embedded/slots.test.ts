import { expect, test } from 'vitest';
import { Slots } from './slots.ts';

/** A call that runs until it is let go. */
function held(): { task: () => Promise<void>; release: () => void; hasBegun: () => boolean } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let begun = false;
  const task = () => {
    begun = true;
    return promise;
  };
  return { task, release: resolve, hasBegun: () => begun };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('as many run as there are slots, the others in order', async () => {
  const slots = new Slots({ limit: () => 2, maxWaiting: 10 });
  const calls = [held(), held(), held(), held()];
  const done = calls.map(({ task }) => slots.run(task));
  await turn();
  expect(calls.map(({ hasBegun }) => hasBegun())).toEqual([true, true, false, false]);
  calls[1]!.release();
  await turn();
  expect(calls.map(({ hasBegun }) => hasBegun())).toEqual([true, true, true, false]);
  for (const { release } of calls) release();
  await Promise.all(done);
});

test('as many run as the limit says when a slot is free', async () => {
  let limit = 1;
  const slots = new Slots({ limit: () => limit, maxWaiting: 10 });
  const calls = [held(), held(), held(), held()];
  const done = calls.map(({ task }) => slots.run(task));
  const begun = () => calls.filter(({ hasBegun }) => hasBegun()).length;
  await turn();
  expect(begun()).toBe(1);
  limit = 3;
  calls[0]!.release();
  await turn();
  expect(begun()).toBe(4);
  limit = 1;
  const late = held();
  done.push(slots.run(late.task));
  calls[1]!.release();
  calls[2]!.release();
  await turn();
  expect(late.hasBegun()).toBe(false);
  calls[3]!.release();
  await turn();
  expect(late.hasBegun()).toBe(true);
  late.release();
  await Promise.all(done);
});

test('one too many is refused, and may be tried again', async () => {
  const slots = new Slots({ limit: () => 1, maxWaiting: 1 });
  const calls = [held(), held()];
  const done = calls.map(({ task }) => slots.run(task));
  await expect(slots.run(async () => 1)).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  for (const { release } of calls) release();
  await Promise.all(done);
  await expect(slots.run(async () => 1)).resolves.toBe(1);
});

test('a failed call frees its slot', async () => {
  const slots = new Slots({ limit: () => 1, maxWaiting: 1 });
  await expect(slots.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  await expect(slots.run(async () => 1)).resolves.toBe(1);
});

test('draining waits for those inside and refuses the rest', async () => {
  const slots = new Slots({ limit: () => 1, maxWaiting: 5 });
  const calls = [held(), held()];
  const done = calls.map(({ task }) => slots.run(task));
  let isDrained = false;
  const drained = slots.drain().then(() => {
    isDrained = true;
  });
  await expect(slots.run(async () => 1)).rejects.toMatchObject({ code: 'unavailable' });
  calls[0]!.release();
  await turn();
  expect([calls[1]!.hasBegun(), isDrained]).toEqual([true, false]);
  calls[1]!.release();
  await Promise.all([...done, drained]);
  expect(isDrained).toBe(true);
});
