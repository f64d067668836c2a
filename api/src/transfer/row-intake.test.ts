import { setImmediate } from 'node:timers/promises';
import type { Acceptor, ImportedRow } from '@tidemark/core';
import { systemClock, TidemarkError } from '@tidemark/core';
import { expect, it, vi } from 'vitest';
import { RowIntake } from './row-intake.ts';

function batchOf(first: number, rows: number): ImportedRow[] {
  return Array.from({ length: rows }, (_, index) => ({
    index: first + index,
    point: { measurement: 'm', tags: [], fields: [['f', 1]], timeNs: 1n },
  }));
}

const common = { clock: systemClock, topic: '/api/v1/import', signal: new AbortController().signal };

it('reads no further than some batches while the log is busy', async () => {
  const waiting: (() => void)[] = [];
  let isBusy = true;
  const acceptor: Acceptor = {
    accept: (submission, done) => {
      if (isBusy) waiting.push(done);
      else process.nextTick(done);
      return { ids: [], accepted: submission.source === 'import' ? submission.rows.length : 0, rejected: [] };
    },
  };
  let given = 0;
  const batches = async function* () {
    for (; given < 50; given++) yield batchOf(given * 10, 10);
  };
  const intake = new RowIntake({ ...common, acceptor });
  const taken = intake.take(batches());
  await vi.waitFor(() => expect(waiting.length).toBeGreaterThanOrEqual(4));
  for (let turn = 0; turn < 10; turn++) await setImmediate();
  expect(waiting.length).toBe(4);
  expect(given).toBeLessThanOrEqual(4);
  isBusy = false;
  for (const done of waiting) done();
  await taken;
  expect(intake.counts).toMatchObject({ accepted: 500, refused: 0 });
});

it('tries a batch again when the log is full, and gives up on what does not heal', async () => {
  const errors = [new TidemarkError('spool_full', 'full', { retryable: true })];
  let calls = 0;
  const acceptor: Acceptor = {
    accept: (_submission, done) => {
      calls += 1;
      const error = errors.shift();
      done(error);
      return { ids: [], accepted: error === undefined ? 3 : 0, rejected: [] };
    },
  };
  const intake = new RowIntake({ ...common, acceptor });
  const one = async function* () {
    yield batchOf(0, 3);
  };
  await intake.take(one());
  expect(calls).toBe(2);
  expect(intake.counts.accepted).toBe(3);
  errors.push(new TidemarkError('spool_failed', 'failed'));
  await expect(intake.take(one())).rejects.toMatchObject({ code: 'spool_failed' });
});

it('counts what was accepted before the reading failed', async () => {
  const acceptor: Acceptor = {
    accept: (_submission, done) => {
      process.nextTick(done);
      return { ids: [], accepted: 2, rejected: [] };
    },
  };
  const intake = new RowIntake({ ...common, acceptor });
  const broken = async function* () {
    yield batchOf(0, 2);
    throw new TidemarkError('bad_request', 'cut off');
  };
  await expect(intake.take(broken())).rejects.toMatchObject({ message: 'cut off' });
  expect(intake.counts.accepted).toBe(2);
});
