import { durationMs } from '../../fields/duration.ts';
import { type Behaviour, messageOf, type NodeContext } from '../../runtime/define-node.ts';
import type { spec } from './spec.ts';

const topic = 'lines/heartbeats';
/** The longest that a timer can wait. */
const maxIntervalMs = 2 ** 31 - 1;

/** Publishes heartbeats of a service: measurement `heartbeats`, by line protocol. */
export function heartbeat({
  settings,
  server,
  show,
  fail,
  send,
}: NodeContext<typeof spec.fields>): Behaviour {
  const { service, beat: by, every } = settings;
  const { mqtt } = server();
  let roundTripMs: number | undefined;
  let isBeating = false;

  const beat = async (isUp: boolean, givenMs?: number) => {
    const latencyMs = givenMs ?? roundTripMs;
    const startedMs = performance.now();
    await mqtt.publish(topic, lineOf({ service: service!, isUp, latencyMs }), { retain: false });
    roundTripMs = performance.now() - startedMs;
    show(isUp ? 'green' : 'red', 'dot', isUp ? 'up' : 'down');
    return { service, up: isUp, latencyMs: latencyMs ?? null };
  };
  const tick = (): void => {
    // One that the broker does not acknowledge is told once, and not piled upon.
    if (isBeating) return;
    isBeating = true;
    beat(true)
      .then((heartbeat) => send({ topic: service, payload: true, heartbeat }))
      .catch((error: unknown) => {
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
      const isUp = message.payload !== false;
      const { latencyMs } = message;
      if (latencyMs !== undefined && (typeof latencyMs !== 'number' || !(latencyMs >= 0)))
        throw new Error('msg.latencyMs must be a number of milliseconds');
      send({ ...message, heartbeat: await beat(isUp, latencyMs) });
    },
    onClose: () => clearInterval(timer),
  };
}

interface Beat {
  service: string;
  isUp: boolean;
  latencyMs: number | undefined;
}

function lineOf({ service, isUp, latencyMs }: Beat): string {
  const tag = service.replaceAll(/[,= ]/g, '\\$&');
  const latency = latencyMs === undefined ? '' : `,latency_ms=${latencyMs.toFixed(3)}`;
  return `heartbeats,service=${tag} up=${isUp ? 1 : 0}${latency}`;
}
