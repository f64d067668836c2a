import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { READINGS, TidemarkError, type Window, type WindowFunction, windowFunctions } from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import { parseJsonBody, readJsonText } from '../body/read-json.ts';
import { type ComputeRequest, readComputeRequest } from '../compute-request.ts';
import { memberNames } from '../json-members.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { bodyOf } from '../registry/route-parts.ts';
import { computeAnswerSchema, computeBodySchema, jsonContent, problems } from '../schemas.ts';

const route = createRoute({
  method: 'post',
  path: '/compute/metrics',
  tags: ['Windows'],
  summary: 'Statistics of metrics between two times',
  description:
    'Statistics of all readings of a metric from `from` to `to`, both included, whatever their sensor. The keys are ' +
    '`from`, `to` and every metric that the store has numbers of; the statistics are ' +
    `${windowFunctions.join(', ')}, p1 to p99.9, and average, which is mean. ` +
    'What is wrong in a body is told in `errors`, in its order, and the rest is computed.',
  request: bodyOf(computeBodySchema),
  responses: {
    200: { description: 'What could be computed.', content: jsonContent(computeAnswerSchema) },
    ...problems(413, 415, 503),
    400: {
      description:
        '`result` is empty, and `errors` say why: the body is no JSON object, nothing of it can be computed, `from` or ' +
        '`to` is missing or no time, or what stands for a metric is no list.',
      content: jsonContent(computeAnswerSchema),
    },
  },
});

/** `POST /compute/metrics`. */
export function computeMetrics(app: OpenAPIHono<ApiEnv>, { engine, clock, config }: ApiParts): void {
  app.openAPIRegistry.registerPath(route);
  app.post(route.path, async (c) => {
    const members = await readMembers(c.req.raw, config.http.maxBodyBytes);
    if (typeof members === 'string') return c.json({ result: {}, errors: [members] }, 400);
    const knownMetrics = await numericMetrics(engine);
    const { request, errors } = readComputeRequest({ members, knownMetrics, nowNs: clock.nowNs() });
    if (request === undefined) return c.json({ result: {}, errors }, 400);
    return c.json({ result: await compute(engine, request), errors }, 200);
  });
}

/** The members of the body in the order of its text, or why there are none. */
async function readMembers(request: Request, maxBytes: number): Promise<Map<string, unknown> | string> {
  try {
    const text = await readJsonText(request, maxBytes);
    const body = parseJsonBody(text);
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      return 'Unexpected request body: write a JSON object';
    }
    return new Map(memberNames(text).map((name) => [name, (body as Record<string, unknown>)[name]]));
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'bad_request') return error.message;
    throw error;
  }
}

async function numericMetrics(engine: Engine): Promise<Set<string>> {
  const fields = await engine.fields();
  return new Set(
    fields
      .filter(({ measurement, type }) => measurement === READINGS && type !== 'string' && type !== 'boolean')
      .map(({ field }) => field),
  );
}

/** One query for the metrics of which the same functions are wanted. */
async function compute(engine: Engine, { fromNs, toNs, wanted }: ComputeRequest) {
  const metricsOf = new Map<string, string[]>();
  for (const [metric, functions] of wanted) {
    const key = [...new Set(functions.values())].sort().join();
    metricsOf.set(key, [...(metricsOf.get(key) ?? []), metric]);
  }
  const found = new Map<string, Window['values']>();
  for (const [key, metrics] of metricsOf) {
    const windows = await engine.windows({
      metrics,
      fromNs,
      toNs: toNs + 1n,
      everyNs: undefined,
      timeZone: undefined,
      functions: key.split(',') as WindowFunction[],
      by: [],
      fill: 'none',
    });
    for (const { metric, values } of windows) found.set(metric, values);
  }
  const result = [...wanted].map(([metric, functions]) => {
    const values = found.get(metric);
    const entries = [...functions].map(([name, fn]) => [
      name,
      values?.get(fn) ?? (fn === 'count' ? 0 : null),
    ]);
    return [metric, Object.fromEntries(entries)];
  });
  return Object.fromEntries(result);
}
