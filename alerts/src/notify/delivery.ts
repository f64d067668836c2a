import type { Notification as Notice, SetAsideReason } from '@tidemark/core';

/** Why it will never be taken as it is, told without what a channel keeps secret. */
export interface Refused {
  reason: SetAsideReason;
  detail: string;
}

/**
 * Sends one notification. Resolves with nothing when the other side has taken it, and with why when it never will;
 * rejects when it may yet. Ends when the signal aborts.
 */
export type Deliver = (notice: Notice, signal: AbortSignal) => Promise<Refused | undefined>;

export function addressRefused(host: string): Refused {
  const detail = `${host} has a private address; list it in notifications.privateHosts if it is meant`;
  return { reason: 'address_refused', detail };
}
