import { randomUUID } from 'node:crypto';
import type { Clock, Notification } from '@tidemark/core';
import { contentOf } from './content.ts';

/** A notification that is about no alert, to see whether a channel takes it; it has a key of its own each time. */
export function testNotice(channel: string, clock: Clock): Notification {
  const nowNs = clock.nowNs();
  const key = `test-${randomUUID()}`;
  const content = contentOf(
    {
      number: 0,
      key,
      alert: 'test:-',
      rule: 'test',
      sensor: '-',
      metric: undefined,
      state: 'firing',
      value: undefined,
      sinceNs: nowNs,
      timeNs: nowNs,
      recordedNs: nowNs,
      severity: 'info',
      message: `This is a test of the channel ${channel}`,
      actor: undefined,
      comment: undefined,
      notifies: true,
      isCurrent: true,
      notify: [channel],
    },
    { key, location: undefined },
  );
  const unsent = { attempts: 0, reason: undefined, detail: undefined };
  return { id: '0', key, channel, content, createdNs: nowNs, nextNs: nowNs, ...unsent };
}
