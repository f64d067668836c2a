import { z } from '@hono/zod-openapi';
import type { Issue } from '@tidemark/core';
import { invalidFields } from '../problem.ts';
import { jsonContent } from '../schemas.ts';

/** The entity tag that an answer carries. */
const etagHeader = z.object({
  etag: z.string().openapi({ description: 'Send it back as `If-Match` with a change.', example: '"1a2b-3"' }),
});

/** Headers that make a change conditional. */
export const conditionHeaders = z.object({
  'if-match': z
    .string()
    .optional()
    .openapi({ description: 'Only when the ETag is still this one.', example: '"1a2b-3"' }),
});

/** A path with the id of an entry. */
export function idParams(example: string) {
  return z.object({ id: z.string().openapi({ example }) });
}

/** Described for the reference; the handlers read bodies themselves, to tell all that is wrong with its path. */
export function bodyOf(schema: z.ZodType, type = 'application/json') {
  return { body: { required: true, content: { [type]: { schema } } } };
}

/** One entry with its ETag. */
export function entryResponse(description: string, schema: z.ZodType) {
  return { description, headers: etagHeader, content: jsonContent(schema) };
}

/** What was read, or a refusal that lists everything that is wrong with it. */
export function orInvalid<Entry extends object>(read: Entry | Issue[]): Entry {
  if (Array.isArray(read)) throw invalidFields(read);
  return read;
}
