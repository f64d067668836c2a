import { expect, it } from 'vitest';
import { SharedReads } from './shared-reads.ts';

/** Reads that end when a test says so. */
function heldReads() {
  const begun: ((value: number | Error) => void)[] = [];
  const read = () =>
    new Promise<number>((resolve, reject) =>
      begun.push((value) => (value instanceof Error ? reject(value) : resolve(value))),
    );
  return { begun, read };
}

it('answers those that wait by one read that begins behind them', async () => {
  const reads = new SharedReads<number>();
  const { begun, read } = heldReads();
  const first = reads.ask('a', read);
  const waiting = [reads.ask('a', read), reads.ask('a', read)];
  expect(begun).toHaveLength(1);
  begun[0]!(1);
  expect(await first).toBe(1);
  await Promise.resolve();
  expect(begun).toHaveLength(2);
  const late = reads.ask('a', read);
  begun[1]!(2);
  expect(await Promise.all(waiting)).toEqual([2, 2]);
  await Promise.resolve();
  begun[2]!(3);
  expect(await late).toBe(3);
  const after = reads.ask('a', read);
  begun[3]!(4);
  expect(await after).toBe(4);
});

it('keeps other questions apart, and goes on behind one that failed', async () => {
  const reads = new SharedReads<number>();
  const { begun, read } = heldReads();
  const failing = reads.ask('a', read);
  const other = reads.ask('b', read);
  const next = reads.ask('a', read);
  begun[0]!(new Error('no store'));
  begun[1]!(7);
  await expect(failing).rejects.toThrow('no store');
  expect(await other).toBe(7);
  await Promise.resolve();
  begun[2]!(8);
  expect(await next).toBe(8);
});
