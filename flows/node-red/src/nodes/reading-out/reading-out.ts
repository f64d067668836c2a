import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { durationMs } from '../../fields/duration.ts';
import { type Answer, type Api, ApiError } from '../../platform/api.ts';
import type { Behaviour, NodeContext } from '../../runtime/define-node.ts';
import { readingsIn } from './readings.ts';
import type { spec } from './spec.ts';

const retryEveryMs = 1000;
/** Messages that wait for their acknowledgement. */
const maxWaiting = 1000;

interface Result {
  accepted: number;
  rejected: readonly { index: number; code: string; detail: string }[];
}

/** Writes readings; a message goes on once its readings are durable. */
export function readingOut({ settings, server, show }: NodeContext<typeof spec.fields>): Behaviour {
  const { api } = server();
  const retryForMs = settings.retryFor === undefined ? 0 : durationMs(settings.retryFor)!;
  const closing = new AbortController();
  let waiting = 0;
  let written = 0;
  return {
    async onMessage(message, send) {
      const readings = readingsIn(settings, message);
      if (waiting >= maxWaiting) throw new Error(`${maxWaiting} messages wait to be acknowledged already`);
      waiting += 1;
      try {
        const { json } = await post(api, { readings, retryForMs, signal: closing.signal });
        const result = json as Result;
        if (result.rejected.length > 0) throw new Error(refusalOf(result));
        written += result.accepted;
        show('green', 'dot', 'written', { count: written });
        send({ ...message, result });
      } finally {
        waiting -= 1;
      }
    },
    onClose: () => closing.abort(),
  };
}

interface Posting {
  readings: readonly object[];
  retryForMs: number;
  signal: AbortSignal;
}

/** Posts until the readings are acknowledged or refused; the key keeps a second try from storing them twice. */
async function post(api: Api, { readings, retryForMs, signal }: Posting): Promise<Answer> {
  const headers = { 'idempotency-key': randomUUID() };
  const untilMs = performance.now() + retryForMs;
  for (;;) {
    try {
      return await api.request('POST', '/api/v1/readings', { body: readings, headers, signal });
    } catch (error) {
      const isPassing = error instanceof ApiError && error.isRetryable;
      if (!isPassing || signal.aborted || performance.now() >= untilMs) throw error;
      await delay(retryEveryMs, undefined, { signal }).catch(() => {});
    }
  }
}

function refusalOf({ accepted, rejected }: Result): string {
  const reasons = rejected.slice(0, 5).map(({ index, code, detail }) => `[${index}] ${code}: ${detail}`);
  const more = rejected.length > reasons.length ? '; …' : '';
  return `${rejected.length} of ${accepted + rejected.length} readings were refused: ${reasons.join('; ')}${more}`;
}
