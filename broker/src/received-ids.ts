import type { Client, PublishPacket } from 'aedes';
import type { ClassicLevel } from 'classic-level';
import type { Change, GroupWriter } from './group-writer.ts';
import { upTo } from './session-queue.ts';

const prefix = 'received:';
const RECEIVED = Buffer.from([1]);

/**
 * The ids of QoS 2 messages that were received and not yet released: at most 65 535 for each client. Those of a
 * session that is kept are in the database too, written in one batch with the message's place in the queues, so
 * that after a crash a resent message is either known or was never passed on.
 */
export class ReceivedIds {
  readonly #writer: GroupWriter;
  readonly #byClient = new Map<string, Map<number, boolean>>();
  /** Changes that wait for their message, by its properties: Aedes copies all of a packet but those. */
  readonly #waiting = new WeakMap<object, Change>();

  constructor(writer: GroupWriter) {
    this.#writer = writer;
  }

  async load(db: ClassicLevel<string, unknown>): Promise<void> {
    for await (const key of db.keys({ gte: prefix, lt: upTo(prefix) })) {
      const [, clientId, messageId] = key.split(':');
      this.#idsOf(decodeURIComponent(clientId!)).set(Number(messageId), true);
    }
  }

  has(clientId: string, messageId: number): boolean {
    return this.#byClient.get(clientId)?.has(messageId) === true;
  }

  /** The message is about to be passed on; its id is stored with it, by `takeChanges`. */
  add({ id, clean }: Client, packet: PublishPacket): void {
    const messageId = packet.messageId!;
    this.#idsOf(id).set(messageId, !clean);
    if (clean) return;
    packet.properties ??= {};
    this.#waiting.set(packet.properties, { type: 'put', key: keyOf(id, messageId), value: RECEIVED });
  }

  takeChanges(properties: object | undefined): Change[] {
    const change = properties && this.#waiting.get(properties);
    if (change === undefined) return [];
    this.#waiting.delete(properties!);
    return [change];
  }

  /** PUBREL came: the id may be used again. */
  async delete(clientId: string, messageId: number): Promise<void> {
    const ids = this.#byClient.get(clientId);
    const isStored = ids?.get(messageId);
    ids?.delete(messageId);
    if (ids?.size === 0) this.#byClient.delete(clientId);
    if (isStored === true) await this.#writer.write({ type: 'del', key: keyOf(clientId, messageId) });
  }

  /** The session has ended. */
  forget(clientId: string): void {
    const ids = this.#byClient.get(clientId);
    if (ids === undefined) return;
    this.#byClient.delete(clientId);
    const stored = [...ids].filter(([, isStored]) => isStored);
    if (stored.length === 0) return;
    const changes = stored.map(([messageId]): Change => ({ type: 'del', key: keyOf(clientId, messageId) }));
    void this.#writer.write(...changes);
  }

  #idsOf(clientId: string): Map<number, boolean> {
    let ids = this.#byClient.get(clientId);
    if (ids === undefined) {
      ids = new Map();
      this.#byClient.set(clientId, ids);
    }
    return ids;
  }
}

function keyOf(clientId: string, messageId: number): string {
  return `${prefix}${encodeURIComponent(clientId)}:${messageId}`;
}
