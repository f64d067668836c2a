import { TidemarkError } from '@tidemark/core';
import type { Context } from 'hono';
import type { ApiEnv } from '../parts.ts';

/** What the registry keeps, as far as its versions are concerned. */
interface Versioned {
  createdNs: bigint;
  version: number;
}

/** The entity tag of an entry: another one after each change, also when it was deleted and made anew. */
export function etagOf({ createdNs, version }: Versioned): string {
  return `"${createdNs.toString(36)}-${version}"`;
}

/**
 * Holds a request to its `If-Match` and `If-None-Match` (RFC 9110, section 13); throws `precondition_failed`, and
 * `precondition_required` where a change must say what it was made from.
 */
export function checkConditions(
  c: Context<ApiEnv>,
  entry: Versioned | undefined,
  { isMatchRequired = false } = {},
): void {
  const ifMatch = c.req.header('if-match');
  const ifNoneMatch = c.req.header('if-none-match');
  const etag = entry && etagOf(entry);
  if (ifMatch !== undefined && !names(ifMatch, etag)) {
    const now = etag === undefined ? 'there is none' : `it is ${etag} now`;
    throw new TidemarkError('precondition_failed', `If-Match asks for ${ifMatch}; ${now}`);
  }
  if (ifNoneMatch !== undefined && names(ifNoneMatch, etag)) {
    throw new TidemarkError('precondition_failed', `If-None-Match excludes ${ifNoneMatch}; it is there`);
  }
  if (isMatchRequired && entry !== undefined && ifMatch === undefined) {
    const message = `send If-Match: ${etag} (or *) to replace what is there, or PATCH to change a part of it`;
    throw new TidemarkError('precondition_required', message);
  }
}

/** True when the list names the tag; `*` names any that exists. */
function names(list: string, etag: string | undefined): boolean {
  if (etag === undefined) return false;
  return list.trim() === '*' || list.split(',').some((one) => one.trim() === etag);
}
