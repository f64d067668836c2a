import { type Access, type Config, claimOf, type TracedMessage, type TraceStep } from '@tidemark/core';
import { generate } from 'mqtt-packet';

interface TraceOptions {
  config: Pick<Config, 'mqtt'>;
  access: Access;
}

/** What the broker would do with a message at QoS 1: whether it takes it, and from whom. */
export function traceMessage(message: TracedMessage, { config, access }: TraceOptions): TraceStep[] {
  const refusal = refusalOf(message, config);
  const broker: TraceStep = refusal ?? {
    step: 'broker',
    status: 'passed',
    message: `takes ${message.payload.length} bytes on ${message.topic}`,
  };
  return [broker, accessOf(message, access)];
}

function refusalOf({ topic, payload }: TracedMessage, { mqtt }: Pick<Config, 'mqtt'>): TraceStep | undefined {
  const stopped = { step: 'broker', status: 'stopped' } as const;
  if (topic === '' || /[+#\0]/.test(topic)) {
    const message = 'the topic is empty or holds +, # or a null character: the connection is closed';
    return { ...stopped, message, hint: 'wildcards are for subscriptions' };
  }
  const levels = topic.split('/').length;
  if (levels > mqtt.maxTopicLevels) {
    const message = `the topic has ${levels} levels, and may have ${mqtt.maxTopicLevels}: the connection is closed`;
    return { ...stopped, message, hint: 'raise mqtt.maxTopicLevels' };
  }
  const packet = { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, messageId: 1 } as const;
  const bytes = generate({ ...packet, dup: false, retain: false }).length;
  if (bytes > mqtt.maxPacketBytes) {
    const message = `the packet has ${bytes} bytes, and may have ${mqtt.maxPacketBytes}: the connection is closed`;
    return { ...stopped, message, hint: 'send it in parts, or raise mqtt.maxPacketBytes' };
  }
  if (claimOf(topic).kind !== 'own') return undefined;
  const message = `only the platform itself publishes on ${topic}`;
  return { ...stopped, message, hint: 'publish on a topic of your own' };
}

function accessOf({ user }: TracedMessage, access: Access): TraceStep {
  const step = 'access';
  const hint = 'npx tidemark init creates a user; check the name and the password that the device has';
  if (user === undefined) {
    if (!access.isRequired) return { step, status: 'passed', message: 'no credentials are needed here' };
    return { step, status: 'stopped', message: 'without a user name the connection is refused', hint };
  }
  if (access.knowsUser(user))
    return { step, status: 'passed', message: `user ${user} may publish, with the right password` };
  return {
    step,
    status: 'stopped',
    message: `there is no MQTT user ${user}: the connection is refused`,
    hint,
  };
}
