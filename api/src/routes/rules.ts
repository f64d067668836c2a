import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { formatTime, NS_PER_DAY, type StoredRule, TidemarkError } from '@tidemark/core';
import type { Context } from 'hono';
import {
  dryRunSchema,
  newRuleSchema,
  rulePatchSchema,
  ruleSchema,
  validationSchema,
} from '../alerts-schemas.ts';
import { readJson } from '../body/read-json.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { actorOf } from '../middleware/access.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { invalidFields, issuesOf } from '../problem.ts';
import { cursorParameter, limitParameter, noteParameter, rangeParameters, toRange } from '../query.ts';
import { checkConditions, etagOf } from '../registry/conditions.ts';
import { isObject, mergePatch } from '../registry/merge-patch.ts';
import { pageById } from '../registry/page-by-id.ts';
import { bodyOf, conditionHeaders, entryResponse, idParams } from '../registry/route-parts.ts';
import { jsonContent, listOf, listSchema, problems } from '../schemas.ts';

const path = '/api/v1/rules';
const tags = ['Alerts'];
const changeQuery = z.strictObject({
  unknownMetric: z
    .enum(['refuse', 'allow'])
    .default('refuse')
    .openapi({ description: '`allow` takes a rule about a metric that no registered sensor has yet.' }),
  note: noteParameter,
});

const listRoute = createRoute({
  method: 'get',
  path,
  tags,
  summary: 'List rules',
  description: 'In order of their ids.',
  request: { query: z.strictObject({ limit: limitParameter(1000, 100), cursor: cursorParameter }) },
  responses: {
    200: { description: 'Rules', content: jsonContent(listSchema('RuleList', ruleSchema)) },
    ...problems(400),
  },
});

const oneRoute = createRoute({
  method: 'get',
  path: `${path}/{id}`,
  tags,
  summary: 'One rule',
  request: { params: idParams('too-hot'), query: z.strictObject({}) },
  responses: { 200: entryResponse('The rule', ruleSchema), ...problems(400, 404) },
});

const createRouteOf = createRoute({
  method: 'post',
  path,
  tags,
  summary: 'Create a rule',
  description:
    'It holds for what is evaluated next. All that is wrong with it is told at once, each with its path.',
  request: { query: changeQuery, ...bodyOf(newRuleSchema) },
  responses: { 201: entryResponse('Created', ruleSchema), ...problems(400, 409, 413, 415) },
});

const replaceRoute = createRoute({
  method: 'put',
  path: `${path}/{id}`,
  tags,
  summary: 'Create a rule, or replace it',
  description:
    'Replacing asks for `If-Match`: the ETag that the change was made from, or `*`. Alerts go on when condition, metric ' +
    'and `for` are the same; else they are resolved.',
  request: {
    params: idParams('too-hot'),
    query: changeQuery,
    headers: conditionHeaders,
    ...bodyOf(rulePatchSchema),
  },
  responses: {
    200: entryResponse('Replaced', ruleSchema),
    201: entryResponse('Created', ruleSchema),
    ...problems(400, 409, 412, 413, 415, 428),
  },
});

const patchRoute = createRoute({
  method: 'patch',
  path: `${path}/{id}`,
  tags,
  summary: 'Change a part of a rule',
  description: 'JSON Merge Patch (RFC 7396): null takes a member away. `If-Match` is optional.',
  request: {
    params: idParams('too-hot'),
    query: changeQuery,
    headers: conditionHeaders,
    ...bodyOf(rulePatchSchema, 'application/merge-patch+json'),
  },
  responses: { 200: entryResponse('Changed', ruleSchema), ...problems(400, 404, 409, 412, 413, 415) },
});

const deleteRoute = createRoute({
  method: 'delete',
  path: `${path}/{id}`,
  tags,
  summary: 'Delete a rule',
  description: 'Its alerts are resolved, and what is retained of them on MQTT is cleared.',
  request: {
    params: idParams('too-hot'),
    query: z.strictObject({ note: noteParameter }),
    headers: conditionHeaders,
  },
  responses: {
    200: {
      description: 'Deleted',
      content: jsonContent(
        z.object({ id: z.string().openapi({ example: 'too-hot' }) }).openapi('RuleDeletion'),
      ),
    },
    ...problems(400, 404, 409, 412),
  },
});

const validateRoute = createRoute({
  method: 'post',
  path: `${path}/validate`,
  tags,
  summary: 'What is wrong with a rule',
  description: 'Nothing is changed. What is told as a warning may be meant so.',
  request: bodyOf(newRuleSchema),
  responses: {
    200: { description: 'Faults and doubts', content: jsonContent(validationSchema) },
    ...problems(400, 413, 415),
  },
});

const dryRunRoute = createRoute({
  method: 'post',
  path: `${path}/dry-run`,
  tags,
  summary: 'How often a rule would have fired',
  description:
    'Plays what is stored of the range through the rule; nothing is changed, and nobody is notified.',
  request: { query: z.strictObject(rangeParameters('30 days before `to`', 'now')), ...bodyOf(newRuleSchema) },
  responses: {
    200: { description: 'Firings by sensor', content: jsonContent(dryRunSchema) },
    ...problems(400, 413, 415, 503),
  },
});

/** `/api/v1/rules`. */
export function rules(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { rules: book, access, clock, config } = parts;
  const found = (id: string): StoredRule => {
    const rule = book.rule(id);
    if (rule === undefined) throw new TidemarkError('not_found', `there is no rule ${id}`);
    return rule;
  };
  const bodyOfRequest = (c: Context<ApiEnv>) => readJson(c.req.raw, config.http.maxBodyBytes);
  const put = (c: Context<ApiEnv>, document: unknown): StoredRule => {
    const query = changeQuery.safeParse(c.req.query());
    if (!query.success) throw invalidFields(issuesOf(query.error, 'no such parameter'));
    const { unknownMetric, note } = query.data;
    return book.put(
      document,
      { actor: actorOf(access, c), note },
      { allowsUnknownMetric: unknownMetric === 'allow' },
    );
  };

  app.openapi(listRoute, (c) => {
    const { limit, cursor } = c.req.valid('query');
    const after = cursor === undefined ? '' : decodeCursor(cursor, 1)[0]!;
    const page = pageById(book.rules(), { after, limit, matches: () => true });
    const shown = page.slice(0, limit);
    return c.json(
      listOf(shown.map(ruleToJson), page.length > limit ? encodeCursor(shown.at(-1)!.id) : null),
      200,
    );
  });

  app.openapi(oneRoute, (c) => {
    const rule = found(c.req.valid('param').id);
    return c.json(ruleToJson(rule), 200, { etag: etagOf(rule) });
  });

  app.openAPIRegistry.registerPath(validateRoute);
  app.post(validateRoute.path, async (c) => c.json(book.validate(await bodyOfRequest(c))));

  app.openAPIRegistry.registerPath(dryRunRoute);
  app.post(dryRunRoute.path, async (c) => {
    const query = dryRunRoute.request.query.safeParse(c.req.query());
    if (!query.success) throw invalidFields(issuesOf(query.error, 'no such parameter'));
    const nowNs = clock.nowNs();
    const range = toRange(query.data, { nowNs, fromNs: (toNs) => toNs - 30n * NS_PER_DAY, toNs: nowNs });
    const { cutOffNs, sensors, ...sums } = await book.dryRun(await bodyOfRequest(c), range);
    return c.json({
      ...sums,
      sensors: sensors.map(({ sensor, firings, firingMs, firstNs, lastNs }) => ({
        sensor,
        firings,
        firingSeconds: firingMs / 1000,
        first: formatTime(firstNs),
        last: formatTime(lastNs),
      })),
      cutOff: cutOffNs === undefined ? null : formatTime(cutOffNs),
    });
  });

  app.openAPIRegistry.registerPath(createRouteOf);
  app.post(path, async (c) => {
    const body = await bodyOfRequest(c);
    const id = isObject(body) && typeof body.id === 'string' ? body.id : '';
    if (book.rule(id) !== undefined)
      throw new TidemarkError('conflict', `rule ${id} exists; PATCH or PUT ${path}/${id} changes it`, {
        issues: [{ path: 'id', message: 'is taken' }],
      });
    const rule = put(c, body);
    return c.json(ruleToJson(rule), 201, { etag: etagOf(rule), location: `${path}/${rule.id}` });
  });

  app.openAPIRegistry.registerPath(replaceRoute);
  app.put(`${path}/:id`, async (c) => {
    const id = c.req.param('id');
    const existing = book.rule(id);
    const body = await bodyOfRequest(c);
    checkConditions(c, existing, { isMatchRequired: true });
    const rule = put(c, withId(body, id));
    return c.json(ruleToJson(rule), existing ? 200 : 201, { etag: etagOf(rule) });
  });

  app.openAPIRegistry.registerPath(patchRoute);
  app.patch(`${path}/:id`, async (c) => {
    const body = await bodyOfRequest(c);
    const existing = found(c.req.param('id'));
    checkConditions(c, existing);
    const rule = put(c, withId(mergePatch(existing.document, body), existing.id));
    return c.json(ruleToJson(rule), 200, { etag: etagOf(rule) });
  });

  app.openapi(deleteRoute, (c) => {
    const rule = found(c.req.valid('param').id);
    checkConditions(c, rule);
    book.remove(rule.id, { actor: actorOf(access, c), note: c.req.valid('query').note });
    return c.json({ id: rule.id }, 200);
  });
}

/** The body with the id of its path, which it may repeat. */
function withId(body: unknown, id: string): unknown {
  if (!isObject(body)) return body;
  if (body.id !== undefined && body.id !== id)
    throw invalidFields([{ path: 'id', message: `is not that of the path, ${id}; rules keep their ids` }]);
  return { ...body, id };
}

function ruleToJson({ document, source, createdNs, updatedNs }: StoredRule) {
  return {
    ...(document as { id: string }),
    source,
    created: formatTime(createdNs),
    updated: formatTime(updatedNs),
  };
}
