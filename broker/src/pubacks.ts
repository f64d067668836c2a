import type { Client } from 'aedes';
import type { AedesClient } from './outbox.ts';

interface Waiting {
  messageIds: number[];
  /** Called when the socket has taken them, in their order. */
  dones: (() => void)[];
}

/** Fixed header, remaining length and message id (MQTT 3.1.1 section 3.4; in MQTT 5 with no reason it means success). */
const PUBACK = 0x40;
const PUBACK_BYTES = 4;

/**
 * Writes the PUBACKs of one commit with one write for each client. Aedes takes three writes to a socket, a tick and
 * an immediate for each of them, a fifth of what a reading costs it.
 */
export class Pubacks {
  #waiting = new Map<Client, Waiting>();

  /** Acknowledges in this turn of the event loop; `done` is called when the client's socket has room for more. */
  send(client: Client, messageId: number, done: () => void): void {
    if (this.#waiting.size === 0) queueMicrotask(() => this.#flush());
    const waiting = this.#waiting.get(client);
    if (waiting) {
      waiting.messageIds.push(messageId);
      waiting.dones.push(done);
    } else {
      this.#waiting.set(client, { messageIds: [messageId], dones: [done] });
    }
  }

  #flush(): void {
    const all = this.#waiting;
    this.#waiting = new Map();
    for (const [client, { messageIds, dones }] of all) {
      const goOn = (): void => {
        for (const done of dones) done();
      };
      // A client publishes on as soon as it has its CONNACK, when Aedes may not count it as connected yet.
      const isOpen = (client.connecting || client.connected) && client.conn.writable;
      if (!isOpen || client.conn.write(encode(messageIds))) goOn();
      else (client as AedesClient).waitForDrain(goOn);
    }
  }
}

function encode(messageIds: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(messageIds.length * PUBACK_BYTES);
  let at = 0;
  for (const messageId of messageIds) {
    bytes[at++] = PUBACK;
    bytes[at++] = PUBACK_BYTES - 2;
    bytes[at++] = messageId >>> 8;
    bytes[at++] = messageId & 255;
  }
  return bytes;
}
