import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { formatTime } from '@tidemark/core';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { filterParameters, toFilter } from '../query.ts';
import { jsonContent, latestSchema, listOf, listSchema, problems } from '../schemas.ts';

const route = createRoute({
  method: 'get',
  path: '/api/v1/latest',
  tags: ['Readings'],
  summary: 'The newest value of each sensor and metric',
  description: 'By sensor, then metric, all on one page.',
  request: { query: z.strictObject(filterParameters) },
  responses: {
    200: { description: 'Latest values', content: jsonContent(listSchema('LatestList', latestSchema)) },
    ...problems(400, 503),
  },
});

/** `GET /api/v1/latest`. */
export function latest(app: OpenAPIHono<ApiEnv>, { engine }: ApiParts): void {
  app.openapi(route, async (c) => {
    const found = await engine.latest(toFilter(c.req.valid('query')));
    const items = found.map(({ sensor, location, metric, value, timeNs }) => ({
      sensor,
      location: location ?? null,
      metric,
      value,
      time: formatTime(timeNs),
    }));
    return c.json(listOf(items), 200);
  });
}
