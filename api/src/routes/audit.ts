import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type AuditEntry, formatTime } from '@tidemark/core';
import { encodeCursor } from '../cursor.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { cursorParameter, limitParameter } from '../query.ts';
import { auditEntrySchema, jsonContent, listOf, listSchema, problems } from '../schemas.ts';
import { decodeNumbers } from './quarantine-filter.ts';

const listRoute = createRoute({
  method: 'get',
  path: '/api/v1/audit',
  tags: ['Audit'],
  summary: 'Who changed or discarded what, newest first',
  request: {
    query: z.strictObject({
      action: z
        .string()
        .optional()
        .openapi({ description: 'Only this action.', example: 'quarantine.discard' }),
      limit: limitParameter(1000, 100),
      cursor: cursorParameter,
    }),
  },
  responses: {
    200: {
      description: 'Lines of the audit log',
      content: jsonContent(listSchema('AuditList', auditEntrySchema)),
    },
    ...problems(400),
  },
});

/** `GET /api/v1/audit`. */
export function audit(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  app.openapi(listRoute, (c) => {
    const { action, limit, cursor } = c.req.valid('query');
    const before = cursor === undefined ? undefined : decodeNumbers(cursor, 1)[0];
    const found = parts.audit.list({ action, limit: limit + 1, before });
    const entries = found.slice(0, limit);
    const next = found.length > limit ? encodeCursor(entries.at(-1)!.id) : null;
    return c.json(listOf(entries.map(toJson), next), 200);
  });
}

function toJson({ timeNs, note, ...rest }: AuditEntry) {
  return { ...rest, time: formatTime(timeNs), note: note ?? null };
}
