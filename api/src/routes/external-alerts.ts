import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { Counter, type Issue, idProblem, ruleIdPattern, severities, TidemarkError } from '@tidemark/core';
import { alertSchema, alertToBody } from '../alerts-schemas.ts';
import { readJson } from '../body/read-json.ts';
import { GRAFANA_PREFIX, readGrafanaWebhook } from '../grafana-webhook.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { invalidFields, issuesOf, problemOf } from '../problem.ts';
import { listParameter } from '../query.ts';
import { bodyOf } from '../registry/route-parts.ts';
import { jsonContent, problems } from '../schemas.ts';

const path = '/api/v1/alerts';
const tags = ['Alerts'];
const channelNames = z.array(z.string().min(1).max(64)).max(100);

const newAlert = z
  .strictObject({
    rule: z
      .string()
      .regex(ruleIdPattern, { error: 'must be 1 to 64 letters, digits, dots, dashes or underscores' })
      .refine((id) => !id.startsWith(GRAFANA_PREFIX), { error: `must not begin with ${GRAFANA_PREFIX}` })
      .openapi({ description: 'What it is about: an id that no rule has.', example: 'pump-check' }),
    sensor: z
      .string()
      .refine((id) => idProblem(id) === undefined, {
        error: ({ input }) => idProblem(String(input)) ?? 'is no id',
      })
      .optional()
      .openapi({ description: 'Unset: of no one sensor; its id ends with `:-` then.', example: 'pump-1' }),
    state: z.enum(['firing', 'resolved']).default('firing'),
    severity: z.enum(severities).default('warning'),
    message: z.string().min(1).max(1000).default('{rule}').openapi({
      description: 'With `{sensor}`, `{value}`, `{rule}`, `{location}`, `{severity}`.',
      example: '{sensor} draws {value} A',
    }),
    value: z.number().optional().openapi({ example: 7.5 }),
    notify: channelNames
      .default([])
      .openapi({ description: 'Channels that are notified.', example: ['ops'] }),
  })
  .openapi('NewAlert');

const raiseRoute = createRoute({
  method: 'post',
  path,
  tags,
  summary: 'Raise or resolve an alert of your own',
  description:
    'Of a program that judges for itself; thresholds are for rules. The same again changes nothing but the value, ' +
    'another severity fires anew. It is acknowledged, silenced and resolved as all alerts are.',
  request: bodyOf(newAlert),
  responses: {
    200: { description: 'The alert as it is now', content: jsonContent(alertSchema) },
    ...problems(400, 404, 409, 413, 415, 503),
  },
});

const takenSchema = z
  .object({
    taken: z.number().int().openapi({ description: 'Alerts that were taken.', example: 2 }),
    own: z
      .number()
      .int()
      .openapi({ description: 'Alerts with the label `origin: tidemark`, which are ignored.', example: 0 }),
    leftOut: z.number().int().openapi({
      description: 'Alerts that Grafana left out, for the limit of its contact point.',
      example: 0,
    }),
  })
  .openapi('GrafanaAlertsTaken');

const grafanaRoute = createRoute({
  method: 'post',
  path: `${path}/grafana`,
  tags,
  summary: "Take alerts of Grafana's webhook contact point",
  description:
    "As Grafana's unified alerting sends them, 1 000 at most; its fingerprint tells them apart. Those that are wrong are " +
    'named in the problem, and cost no other.',
  request: {
    query: z.strictObject({
      notify: listParameter('Channels that are notified.', ['ops']).pipe(channelNames).optional(),
    }),
    ...bodyOf(
      z
        .looseObject({ alerts: z.array(z.looseObject({})).openapi({ example: [] }) })
        .openapi('GrafanaWebhook'),
    ),
  },
  responses: {
    200: { description: 'All were taken', content: jsonContent(takenSchema) },
    ...problems(400, 413, 415, 503),
  },
});

/** Alerts that Grafana and other programs tell of. */
export function externalAlerts(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { alerts: desk, config, logger, metrics } = parts;
  const counter = new Counter({
    name: 'tidemark_alerts_external_total',
    help: 'Times that another program told of an alert: taken, own (of a rule that Tidemark gave to Grafana), refused, or left_out by Grafana',
    labelNames: ['source', 'outcome'],
    registers: [metrics],
  });

  app.openAPIRegistry.registerPath(raiseRoute);
  app.post(path, async (c) => {
    const body = newAlert.safeParse(await readJson(c.req.raw, config.http.maxBodyBytes));
    if (!body.success) throw invalidFields(issuesOf(body.error, 'no such member'));
    const { state, sensor, value, ...rest } = body.data;
    const told = { ...rest, sensor, value, isFiring: state === 'firing', source: 'program' } as const;
    const [alert] = desk.take([{ ...told, fingerprint: undefined, sinceNs: undefined, endedNs: undefined }]);
    const outcome = alert instanceof TidemarkError ? 'refused' : 'taken';
    counter.inc({ source: 'program', outcome });
    if (alert instanceof TidemarkError) throw alert;
    if (alert === undefined)
      throw new TidemarkError('not_found', `there is no alert ${rest.rule}:${sensor ?? '-'}`);
    return c.json(alertToBody(alert));
  });

  app.openAPIRegistry.registerPath(grafanaRoute);
  app.post(grafanaRoute.path, async (c) => {
    const query = grafanaRoute.request.query.safeParse(c.req.queries());
    if (!query.success) throw invalidFields(issuesOf(query.error, 'no such parameter'));
    const body = await readJson(c.req.raw, config.http.maxBodyBytes);
    const { alerts, own, leftOut, issues } = readGrafanaWebhook(body, query.data.notify ?? []);
    const refusals = desk.take(alerts).filter((one) => one instanceof TidemarkError);
    const refused = issues.length + refusals.length;
    const counts = { taken: alerts.length - refusals.length, own, leftOut };
    counter.inc({ source: 'grafana', outcome: 'taken' }, counts.taken);
    counter.inc({ source: 'grafana', outcome: 'own' }, own);
    counter.inc({ source: 'grafana', outcome: 'refused' }, refused);
    counter.inc({ source: 'grafana', outcome: 'left_out' }, leftOut);
    if (leftOut > 0)
      logger.warn({ leftOut }, 'Grafana left alerts out: raise the limit of its contact point');
    if (refused === 0) return c.json(counts);
    logger.warn({ refused, issues: issues.slice(0, 10) }, 'alerts of Grafana were refused');
    return problemOf(refusalOf(issues, refusals), counts);
  });
}

/** What is told of those that were not taken; Grafana tries again when that may help. */
function refusalOf(issues: Issue[], refusals: readonly TidemarkError[]): TidemarkError {
  const passing = refusals.find(({ retryable }) => retryable);
  if (passing !== undefined) return passing;
  return invalidFields([...issues, ...refusals.map(({ message }) => ({ path: 'alerts', message }))]);
}
