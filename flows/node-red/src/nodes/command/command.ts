import { durationMs } from '../../fields/duration.ts';
import type { MqttLink } from '../../platform/mqtt-link.ts';
import type { Behaviour, NodeContext } from '../../runtime/define-node.ts';
import { type spec, topicPattern } from './spec.ts';

/** Commands of one node that wait for their confirmation. */
const maxWaiting = 100;

/** Publishes commands to an actuator and, where asked for, waits until it confirms. */
export function command({ settings, server, show }: NodeContext<typeof spec.fields>): Behaviour {
  const { retain, confirm, confirmTopic, confirmPayload, timeout } = settings;
  const { mqtt } = server();
  const closing = new AbortController();
  let waiting = 0;
  return {
    async onMessage(message, send) {
      const topic = topicOf(message.commandTopic ?? settings.topic);
      const payload = payloadOf(settings.payload ?? message.payload);
      if (!confirm) {
        await mqtt.publish(topic, payload, { retain });
        show('green', 'dot', 'sent', { payload: shortened(payload) });
        return send(message);
      }
      if (waiting >= maxWaiting)
        throw new Error(`${maxWaiting} commands wait for their confirmation already`);
      waiting += 1;
      show('blue', 'ring', 'waiting', { count: waiting });
      const timeoutMs = durationMs(timeout!)!;
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(timeoutMs)]);
      const confirmation = confirmationOn(mqtt, { topic: confirmTopic!, expected: confirmPayload, signal });
      try {
        await mqtt.publish(topic, payload, { retain });
        const answer = await confirmation.received;
        if (answer === undefined)
          throw new Error(
            closing.signal.aborted
              ? `the node was closed before ${confirmTopic} confirmed ${topic}`
              : `${confirmTopic} did not confirm ${topic} within ${timeout}`,
          );
        show('green', 'dot', 'confirmed', { payload: shortened(answer) });
        send({ ...message, confirmation: { topic: confirmTopic, payload: answer } });
      } finally {
        waiting -= 1;
        confirmation.end();
      }
    },
    onClose: () => closing.abort(),
  };
}

interface Awaited {
  topic: string;
  /** Any confirms when undefined. */
  expected: string | undefined;
  signal: AbortSignal;
}

/** The next message on the topic, undefined when the signal comes first. What is retained was said before. */
function confirmationOn(mqtt: MqttLink, { topic, expected, signal }: Awaited) {
  let unsubscribe = (): void => {};
  const received = new Promise<string | undefined>((resolve) => {
    unsubscribe = mqtt.subscribe(topic, (_topic, payload, { retain }) => {
      const text = payload.toString();
      if (!retain && (expected === undefined || text === expected)) resolve(text);
    });
    signal.addEventListener('abort', () => resolve(undefined));
  });
  return { received, end: unsubscribe };
}

function topicOf(given: unknown): string {
  const topic = String(given);
  if (topicPattern.test(topic)) return topic;
  throw new Error(
    `${JSON.stringify(topic.slice(0, 100))} is no topic to command: no wildcards, and none of Tidemark's own`,
  );
}

function payloadOf(given: unknown): string | Buffer {
  if (typeof given === 'string' || Buffer.isBuffer(given)) return given;
  if (given === undefined) throw new Error('msg.payload is missing: it is what is published');
  return JSON.stringify(given);
}

function shortened(payload: string | Buffer): string {
  return payload.toString().slice(0, 30);
}
