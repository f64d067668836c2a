import { messageOf, parseJson, TidemarkError } from '@tidemark/core';
import { jsonFaultAt, placeOf } from '../json-fault.ts';
import { readText } from './read-body.ts';

const jsonTypes = ['application/json', 'application/merge-patch+json'];

/** The body as JSON; throws `bad_request` with the place of a fault, `unsupported_media_type`, and as `readBody`. */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  return parseJsonBody(await readJsonText(request, maxBytes));
}

/** As `readJson`; who sends no body at all means an object without members, whatever type it is said to be. */
export async function readOptionalJson(request: Request, maxBytes: number): Promise<unknown> {
  const text = await readText(request, maxBytes);
  if (text === '') return {};
  refuseOtherTypes(request);
  return parseJsonBody(text);
}

/** The text of a body that is sent as JSON; throws `unsupported_media_type`, and as `readText`. */
export async function readJsonText(request: Request, maxBytes: number): Promise<string> {
  refuseOtherTypes(request);
  return readText(request, maxBytes);
}

function refuseOtherTypes(request: Request): void {
  const contentType = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (!jsonTypes.includes(contentType)) {
    const detail = `content type ${JSON.stringify(contentType)} is not read here; send application/json`;
    throw new TidemarkError('unsupported_media_type', detail);
  }
}

/** The text as JSON; throws `bad_request` that says where it is none. */
export function parseJsonBody(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    const detail = jsonFaultOf(text, error);
    throw new TidemarkError('bad_request', detail, { issues: [{ path: '', message: detail }] });
  }
}

/** Where the text is no JSON, and why, as a person reads it. */
export function jsonFaultOf(text: string, error: unknown): string {
  const position = jsonFaultAt(text);
  const reason = messageOf(error).replace(/(?: in JSON)? at position .*$|, .* is not valid JSON$/s, '');
  return `not valid JSON at position ${position} (${placeOf(text, position)}): ${reason}`;
}
