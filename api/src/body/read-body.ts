import { pipeline, Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import { createGunzip } from 'node:zlib';
import { TidemarkError } from '@tidemark/core';

/**
 * The body's bytes, decompressed. `maxBytes` counts what comes out of decompression, so that a small
 * body cannot unpack to a large one. Throws `payload_too_large`, `unsupported_media_type`, `bad_request`.
 */
export async function* readBody(request: Request, maxBytes: number): AsyncGenerator<Uint8Array> {
  const encoding = request.headers.get('content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new TidemarkError(
      'unsupported_media_type',
      `content encoding ${encoding} is not read; send gzip or none`,
    );
  }
  if (encoding === 'identity' && Number(request.headers.get('content-length')) > maxBytes)
    throw tooLarge(maxBytes);
  if (request.body === null) return;
  let bytes = 0;
  for await (const chunk of decompress(request.body, encoding)) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    yield chunk;
  }
}

/** The whole body as text; throws `bad_request` when it is not UTF-8, and as `readBody` does. */
export async function readText(request: Request, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readBody(request, maxBytes)) chunks.push(chunk);
  return decodeUtf8(new TextDecoder('utf-8', { fatal: true }), Buffer.concat(chunks));
}

/** Decodes one chunk; throws `bad_request` at bytes that are no UTF-8. */
export function decodeUtf8(decoder: TextDecoder, chunk?: Uint8Array, stream = false): string {
  try {
    return decoder.decode(chunk, { stream });
  } catch (cause) {
    throw new TidemarkError('bad_request', 'the body is not valid UTF-8', { cause });
  }
}

async function* decompress(body: ReadableStream<Uint8Array>, encoding: 'identity' | 'gzip') {
  const source = Readable.fromWeb(body as NodeReadableStream<Uint8Array>);
  if (encoding === 'identity') {
    yield* source as AsyncIterable<Uint8Array>;
    return;
  }
  // The callback keeps an error from being unhandled; the loop below throws it.
  const unzipped = pipeline(source, createGunzip(), () => {});
  try {
    yield* unzipped as AsyncIterable<Uint8Array>;
  } catch (cause) {
    if (source.errored !== null && (cause as { code?: string }).code?.startsWith('Z_') !== true) throw cause;
    throw new TidemarkError('bad_request', 'the body is not valid gzip', { cause });
  }
}

function tooLarge(maxBytes: number): TidemarkError {
  return new TidemarkError('payload_too_large', `the body is larger than ${maxBytes} bytes`);
}
