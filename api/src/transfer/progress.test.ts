import { TidemarkError } from '@tidemark/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { problemOf } from '../problem.ts';
import { answerWithProgress, wantsProgress } from './progress.ts';

const utf8 = new TextDecoder();

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('an answer to long work', () => {
  it.each([
    [Response.json({ accepted: 7 }), { event: 'done', accepted: 7 }],
    [
      problemOf(new TidemarkError('spool_failed', 'no room'), { accepted: 5 }),
      { event: 'failed', status: 503, code: 'spool_failed', detail: 'no room', accepted: 5 },
    ],
  ])('tells each second how far it has come, and at last what became of it', async (outcome, last) => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    let accepted = 0;
    const lines = linesOf(answerWithProgress(promise, () => ({ accepted })));
    for (accepted = 2; accepted <= 3; accepted++) {
      vi.advanceTimersByTime(1000);
      expect((await lines.next()).value).toEqual({ event: 'progress', accepted });
    }
    resolve(outcome);
    expect((await lines.next()).value).toMatchObject(last);
    expect((await lines.next()).done).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('stops when nobody reads on', async () => {
    const answer = answerWithProgress(new Promise(() => {}), () => ({}));
    await answer.body!.cancel();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('breaks off at a bug', async () => {
    const answer = answerWithProgress(Promise.reject(new Error('a bug')), () => ({}));
    await expect(answer.text()).rejects.toThrow('a bug');
  });
});

it.each([
  [undefined, false],
  ['*/*', false],
  ['application/json', false],
  ['application/x-ndjson', true],
  ['application/json;q=0.5, Application/X-NDJSON', true],
])('%j wants progress: %s', (accept, expected) => {
  expect(wantsProgress(accept)).toBe(expected);
});

async function* linesOf(answer: Response): AsyncGenerator<unknown> {
  for await (const chunk of answer.body!) yield JSON.parse(utf8.decode(chunk));
}
