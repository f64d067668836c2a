import { durationMs } from '../../fields/duration.ts';
import { type Behaviour, messageOf, type NodeContext } from '../../runtime/define-node.ts';
import type { spec } from './spec.ts';

/** The longest that a timer can wait. */
const maxIntervalMs = 2 ** 31 - 1;

/** Sends heartbeats of a service, which the platform watches from the first one on. */
export function heartbeat({
  settings,
  server,
  show,
  fail,
  send,
}: NodeContext<typeof spec.fields>): Behaviour {
  const { service, beat: by, every, timeout } = settings;
  const { api } = server();
  const timeoutMs = timeout === undefined ? undefined : durationMs(timeout);
  const closing = new AbortController();
  let isBeating = false;

  const beat = async (latencyMs?: unknown): Promise<unknown> => {
    const body = { service, timeoutMs, latencyMs };
    const { json } = await api.request('POST', '/api/v1/heartbeats', { body, signal: closing.signal });
    show('green', 'dot', 'beating');
    return json;
  };
  const tick = (): void => {
    // One that is not answered is told once, and not piled upon.
    if (isBeating) return;
    isBeating = true;
    beat()
      .then((heartbeat) => send({ topic: service, payload: true, heartbeat }))
      .catch((error: unknown) => {
        if (closing.signal.aborted) return;
        show('red', 'dot', 'failed', { reason: messageOf(error).slice(0, 60) });
        fail(error);
      })
      .finally(() => {
        isBeating = false;
      });
  };
  const intervalMs = by === 'interval' ? Math.min(durationMs(every!)!, maxIntervalMs) : undefined;
  const timer = intervalMs === undefined ? undefined : setInterval(tick, intervalMs);
  if (timer !== undefined) tick();
  return {
    async onMessage(message, send) {
      send({ ...message, heartbeat: await beat(message.latencyMs) });
    },
    onClose: () => {
      clearInterval(timer);
      closing.abort();
    },
  };
}
