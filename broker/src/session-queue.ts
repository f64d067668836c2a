import { deserialize, serialize } from 'node:v8';
import type { ClassicLevel } from 'classic-level';
import type { IPublishPacket } from 'mqtt-packet';
import type { Change, GroupWriter } from './group-writer.ts';
import type { Grant } from './subscriptions.ts';

/** How many messages, and bytes of them, may wait for one client. */
export interface QueueLimits {
  maxMessages: number;
  maxBytes: number;
}

/** A message of QoS 1 or 2 as it goes to one client. */
export interface Outgoing {
  topic: string;
  payload: Buffer;
  qos: 1 | 2;
  retain: boolean;
  properties: IPublishPacket['properties'] | undefined;
  /** When it is of no use any more (MQTT 5, Message Expiry Interval). */
  expiresAtMs: number | undefined;
}

/** One that waits, or waits for its acknowledgement. */
export interface QueuedMessage extends Outgoing {
  readonly seq: number;
  readonly bytes: number;
  /** It may be sent: a session that is kept has it on disk. */
  isReady: boolean;
  /** PUBREC came: what is left to do is PUBREL. */
  isReleased: boolean;
}

const prefix = 'queue:';
/** What a message costs besides its topic and payload. */
const OVERHEAD_BYTES = 100;

/**
 * The messages of QoS 1 and 2 for one client, in order, numbered from 1. Those of a session that outlives its
 * connection are also in the database; while the client is away they are only there, and here is but their
 * number and size.
 */
export class SessionQueue {
  /** Messages numbered up to here may have been sent before. */
  sentUpTo = 0;
  readonly #clientId: string;
  readonly #limits: QueueLimits;
  readonly #writer: GroupWriter | undefined;
  readonly #messages = new Map<number, QueuedMessage>();
  #count = 0;
  #bytes = 0;
  #lastSeq = 0;

  /** With a `writer` the queue is kept in its database. */
  constructor(clientId: string, limits: QueueLimits, writer?: GroupWriter) {
    this.#clientId = clientId;
    this.#limits = limits;
    this.#writer = writer;
  }

  get count(): number {
    return this.#count;
  }

  /** Whether it is in the database. */
  get isKept(): boolean {
    return this.#writer !== undefined;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** The number of the oldest message that is here. */
  firstSeq(): number {
    let first = this.#lastSeq + 1;
    for (const seq of this.#messages.keys()) if (seq < first) first = seq;
    return first;
  }

  hasRoom(): boolean {
    return this.#count < this.#limits.maxMessages && this.#bytes < this.#limits.maxBytes;
  }

  get(seq: number): QueuedMessage | undefined {
    return this.#messages.get(seq);
  }

  /** Takes a message if it has room; answers the change that makes it durable, where there is one. */
  add(outgoing: Outgoing, isOnline: boolean): { message: QueuedMessage; change?: Change } | undefined {
    if (!this.hasRoom()) return undefined;
    const bytes = outgoing.payload.length + outgoing.topic.length + OVERHEAD_BYTES;
    const seq = ++this.#lastSeq;
    const isKept = this.#writer !== undefined;
    const message = { ...outgoing, seq, bytes, isReady: !isKept, isReleased: false };
    this.#count++;
    this.#bytes += bytes;
    if (isOnline) this.#messages.set(seq, message);
    return isKept ? { message, change: this.#put(message) } : { message };
  }

  /** Takes a message if it has room, and makes it durable before it calls back. */
  push(outgoing: Outgoing, onReady: () => void): boolean {
    const added = this.add(outgoing, true);
    if (added === undefined) return false;
    const { message, change } = added;
    const ready = (): void => {
      message.isReady = true;
      onReady();
    };
    if (change === undefined) ready();
    else this.#writer?.write(change).then(ready, () => {});
    return true;
  }

  /** PUBREC came for it: from now on it is but a number. */
  async release(seq: number): Promise<void> {
    const message = this.#messages.get(seq);
    if (message === undefined || message.isReleased) return;
    message.isReleased = true;
    message.payload = Buffer.alloc(0);
    await this.#writer?.write(this.#put(message));
  }

  /** It has reached its client, or never will. */
  remove(seq: number): void {
    const message = this.#messages.get(seq);
    if (message === undefined) return;
    this.#messages.delete(seq);
    this.#count--;
    this.#bytes -= message.bytes;
    void this.#writer?.write({ type: 'del', key: keyOf(this.#clientId, message) });
  }

  /** The client is away: what is in the database need not be here. */
  unload(): void {
    this.#messages.clear();
  }

  /** The client is back: brings what waits in the database here. */
  async load(db: ClassicLevel<string, unknown>): Promise<void> {
    const range = rangeOf(this.#clientId);
    for await (const [key, value] of db.iterator({ ...range, valueEncoding: 'buffer' })) {
      const { seq, bytes } = readKey(key);
      if (this.#messages.has(seq)) continue;
      const stored = deserialize(value as unknown as Buffer) as Outgoing & { isReleased: boolean };
      const payload = Buffer.from(stored.payload);
      this.#messages.set(seq, { ...stored, payload, seq, bytes, isReady: true });
    }
  }

  /** Counts a message that the database was found to hold at the start; it may have been sent before. */
  recount(key: string): void {
    const { seq, bytes } = readKey(key);
    this.#count++;
    this.#bytes += bytes;
    this.#lastSeq = Math.max(this.#lastSeq, seq);
    this.sentUpTo = this.#lastSeq;
  }

  #put({
    topic,
    payload,
    qos,
    retain,
    properties,
    expiresAtMs,
    isReleased,
    ...message
  }: QueuedMessage): Change {
    const value = serialize({ topic, payload, qos, retain, properties, expiresAtMs, isReleased });
    return { type: 'put', key: keyOf(this.#clientId, message), value };
  }
}

/** The message as it goes to a client by what its subscriptions grant; undefined when that is QoS 0. */
export function outgoingOf(
  { topic, payload, qos, retain, properties }: IPublishPacket,
  grant: Grant,
): Outgoing | undefined {
  const leastQos = Math.min(qos, grant.qos);
  if (leastQos === 0) return undefined;
  const lifeSeconds = properties?.messageExpiryInterval;
  const { identifiers } = grant;
  return {
    topic,
    // A copy: the payload is a part of what was read from a socket at once, which would stay as long.
    payload: Buffer.from(payload as Uint8Array),
    qos: leastQos as 1 | 2,
    retain: retain && grant.keepsRetain,
    properties:
      identifiers.length > 0 ? { ...properties, subscriptionIdentifier: [...identifiers] } : properties,
    expiresAtMs: lifeSeconds ? Date.now() + lifeSeconds * 1000 : undefined,
  };
}

/** Every stored message's key, with the client it waits for. */
export async function* storedKeys(
  db: ClassicLevel<string, unknown>,
): AsyncGenerator<{ clientId: string; key: string }> {
  for await (const key of db.keys({ gte: prefix, lt: upTo(prefix) })) {
    yield { clientId: decodeURIComponent(key.split(':')[1]!), key };
  }
}

/** The keys of all messages for a client. */
export function rangeOf(clientId: string): { gte: string; lt: string } {
  const start = `${prefix}${encodeURIComponent(clientId)}:`;
  return { gte: start, lt: upTo(start) };
}

/** The size is in the key, so that a start can tell how full each queue is without reading any message. */
function keyOf(clientId: string, { seq, bytes }: { seq: number; bytes: number }): string {
  return `${prefix}${encodeURIComponent(clientId)}:${String(seq).padStart(16, '0')}:${bytes}`;
}

function readKey(key: string): { seq: number; bytes: number } {
  const [, , seq, bytes] = key.split(':');
  return { seq: Number(seq), bytes: Number(bytes) };
}

/** The first key after all that begin with a prefix that ends with ":". */
export function upTo(start: string): string {
  return `${start.slice(0, -1)};`;
}
