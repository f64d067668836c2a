import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { messageOf, TidemarkError } from '@tidemark/core';

/** Room for answers on their way, as much for one stream as for all: pages of readings are some hundred kB. */
const WINDOW_BYTES = 8 * 2 ** 20;
const PREFIX_BYTES = 5;

/**
 * One HTTP/2 connection that gRPC is spoken over, with messages encoded by the caller. A client library would take
 * more CPU for a call than the platform does, on the machine that is measured.
 */
export class Channel {
  readonly #session: ClientHttp2Session;
  readonly #token: string | undefined;

  private constructor(session: ClientHttp2Session, token: string | undefined) {
    this.#session = session;
    this.#token = token;
  }

  /** Connects to `http://host:port`, or `https:` for TLS; throws `unavailable` where nobody answers. */
  static async open(url: string, token: string | undefined): Promise<Channel> {
    const session = connect(url, { settings: { initialWindowSize: WINDOW_BYTES } });
    try {
      await once(session, 'connect');
    } catch (cause) {
      throw new TidemarkError('unavailable', `no gRPC at ${url}: ${messageOf(cause)}`, { cause });
    }
    session.setLocalWindowSize(WINDOW_BYTES);
    // Its streams tell of it.
    session.on('error', () => {});
    return new Channel(session, token);
  }

  close(): void {
    this.#session.close();
  }

  /** One call with one answer: the message in its frame, and the answer's bytes. Rejects with what the platform says. */
  async unary(path: string, framed: Uint8Array): Promise<Buffer> {
    const stream = this.#request(path);
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.end(framed);
    await ended(stream, path);
    return Buffer.concat(chunks).subarray(PREFIX_BYTES);
  }

  /** Writes messages as fast as they are taken; resolves behind the last answer, each of which is told. */
  async stream(
    path: string,
    framed: Iterable<Uint8Array>,
    onAnswer: (message: Buffer) => void,
  ): Promise<void> {
    const stream = this.#request(path);
    const done = ended(stream, path);
    done.catch(() => {});
    let held: Buffer = Buffer.alloc(0);
    stream.on('data', (chunk: Buffer) => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      for (let end = endOfFrame(held); end !== undefined; end = endOfFrame(held)) {
        onAnswer(held.subarray(PREFIX_BYTES, end));
        held = held.subarray(end);
      }
    });
    for (const message of framed)
      if (!stream.write(message)) await Promise.race([once(stream, 'drain'), done]);
    stream.end();
    await done;
  }

  #request(path: string): ClientHttp2Stream {
    return this.#session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
    });
  }
}

/** A message as it goes over the wire: uncompressed, with its length before it. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(PREFIX_BYTES + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX_BYTES);
  return framed;
}

function endOfFrame(bytes: Buffer): number | undefined {
  if (bytes.length < PREFIX_BYTES) return undefined;
  const end = PREFIX_BYTES + bytes.readUInt32BE(1);
  return end <= bytes.length ? end : undefined;
}

/** Resolves when a call has ended with OK. */
function ended(stream: ClientHttp2Stream, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let status: Record<string, unknown> = {};
    const keep = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) status = headers;
    };
    stream.on('response', keep);
    stream.on('trailers', keep);
    stream.on('error', reject);
    stream.on('close', () => {
      if (status['grpc-status'] === '0') return resolve();
      const { 'grpc-status': code = 'no status', 'grpc-message': text = '' } = status;
      const said = decodeURIComponent(String(text));
      reject(new TidemarkError('unavailable', `${path} was answered with ${code}: ${said}`));
    });
  });
}
