import type { AlertTopics, MqttChannel } from '@tidemark/core';
import { bodyOf } from './content.ts';
import type { Deliver } from './delivery.ts';

/** A channel that publishes to a topic of the platform's own broker, at QoS 1, not retained. */
export function mqtt({ channel, topics }: { channel: MqttChannel; topics: AlertTopics }): Deliver {
  return async ({ content }) => {
    await topics.publish(channel.topic, bodyOf(content, channel.body));
    return undefined;
  };
}
