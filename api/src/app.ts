import { OpenAPIHono } from '@hono/zod-openapi';
import { createHostPolicy, TidemarkError } from '@tidemark/core';
import { influxFaultOf, isInfluxPath } from './influx/fault.ts';
import { influxQuery } from './influx/query.ts';
import { influxWrite } from './influx/write.ts';
import { checkAccess } from './middleware/access.ts';
import { freshQueries } from './middleware/freshness.ts';
import { checkHosts } from './middleware/hosts.ts';
import { requestMetrics } from './middleware/request-metrics.ts';
import { securityHeaders } from './middleware/security-headers.ts';
import type { ApiEnv, ApiParts } from './parts.ts';
import { createErrorHandler, invalidFields, issuesOf, problemOf } from './problem.ts';
import { alertActions } from './routes/alert-actions.ts';
import { alerts } from './routes/alerts.ts';
import { audit } from './routes/audit.ts';
import { backup } from './routes/backup.ts';
import { channels } from './routes/channels.ts';
import { computeMetrics } from './routes/compute-metrics.ts';
import { derived } from './routes/derived.ts';
import { discard } from './routes/discard.ts';
import { docs } from './routes/docs.ts';
import { exportPoints } from './routes/export.ts';
import { externalAlerts } from './routes/external-alerts.ts';
import { type HealthParts, health } from './routes/health.ts';
import { heartbeats } from './routes/heartbeats.ts';
import { importPoints } from './routes/import.ts';
import { latest } from './routes/latest.ts';
import { live } from './routes/live.ts';
import { liveAlerts } from './routes/live-alerts.ts';
import { locations } from './routes/locations.ts';
import { notifications } from './routes/notifications.ts';
import { page } from './routes/page.ts';
import { postReadings } from './routes/post-readings.ts';
import { quality } from './routes/quality.ts';
import { quarantine } from './routes/quarantine.ts';
import { readings } from './routes/readings.ts';
import { registryImport } from './routes/registry-import.ts';
import { replay } from './routes/replay.ts';
import { rules } from './routes/rules.ts';
import { sensorChanges } from './routes/sensor-changes.ts';
import { sensors } from './routes/sensors.ts';
import { storage } from './routes/storage.ts';
import { trace } from './routes/trace.ts';
import { travellers } from './routes/travellers.ts';
import { windows } from './routes/windows.ts';
import { ParquetTransfers } from './transfer/parquet.ts';

/** An export is to miss nothing, and takes long anyway. */
const EXPORT_FLUSH_MS = 10_000;

export type ApiApp = OpenAPIHono<ApiEnv>;

/** What a process serves that has no data: how it does, and its metrics. */
export type StatusParts = HealthParts & GuardParts;

/** The whole HTTP API over the given parts; it opens nothing and can be asked by `app.request()`. */
export function createApp(parts: ApiParts): ApiApp {
  const app = guardedApp(parts);
  const fresh = freshQueries(parts.freshness);
  app.get('/api/v1/readings/*', fresh);
  app.get('/api/v1/latest', fresh);
  app.get('/api/v1/windows', fresh);
  app.get('/api/v1/travellers', fresh);
  app.get('/api/v1/travellers/*', fresh);
  app.get('/api/v1/export', freshQueries(parts.freshness, EXPORT_FLUSH_MS));
  app.post('/compute/metrics', fresh);
  app.get('/api/v1/sensors/*', fresh);
  app.get('/api/v1/storage', fresh);
  app.post('/api/v1/rules/dry-run', fresh);
  app.post('/api/v1/trace', fresh);
  app.on(['GET', 'POST'], '/query', fresh);
  app.use('/api/v1/quarantine/*', freshQueries(parts.quarantineFreshness));

  postReadings(app, parts);
  influxWrite(app, parts);
  influxQuery(app, parts);
  readings(app, parts);
  latest(app, parts);
  windows(app, parts);
  travellers(app, parts);
  computeMetrics(app, parts);
  live(app, parts);
  quality(app, parts);
  quarantine(app, parts);
  sensors(app, parts);
  sensorChanges(app, parts);
  locations(app, parts);
  registryImport(app, parts);
  rules(app, parts);
  // Before the route of one alert, whose id may be anything.
  liveAlerts(app, parts);
  alertActions(app, parts);
  alerts(app, parts);
  externalAlerts(app, parts);
  notifications(app, parts);
  channels(app, parts);
  replay(app, parts);
  discard(app, parts);
  const parquet = new ParquetTransfers(parts.config);
  exportPoints(app, parts, parquet);
  importPoints(app, parts, parquet);
  heartbeats(app, parts);
  audit(app, parts);
  storage(app, parts);
  trace(app, parts);
  derived(app, parts);
  backup(app, parts);
  health(app, parts, 'ready for queries and writes');
  docs(app, parts);
  page(app, parts);
  refuseOtherMethods(app);
  return app;
}

/** `/health`, `/ready`, `/ping` and `/metrics` alone. */
export function createStatusApp(parts: StatusParts): ApiApp {
  const app = guardedApp(parts);
  health(app, parts, 'ready');
  refuseOtherMethods(app);
  return app;
}

type GuardParts = Pick<ApiParts, 'access' | 'clock' | 'config' | 'logger' | 'metrics'>;

/** Without routes, with what goes before every one of them. */
function guardedApp({ access, clock, config, logger, metrics }: GuardParts): ApiApp {
  const app: ApiApp = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidFields(issuesOf(result.error, 'no such parameter'));
    },
  });
  app.onError(createErrorHandler(logger));
  app.notFound((c) => problemOf(new TidemarkError('not_found', `there is no ${c.req.path}`)));
  app.use(securityHeaders);
  app.use(requestMetrics(metrics, clock));
  app.use(checkHosts(createHostPolicy(config)));
  app.use(checkAccess(access));
  return app;
}

/** A path that exists, asked with a method that it has not: 405, with those it has. */
function refuseOtherMethods(app: ApiApp): void {
  const methodsOf = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) {
    if (method === 'ALL' || path.endsWith('*')) continue;
    const methods = methodsOf.get(path) ?? new Set();
    methodsOf.set(path, methods.add(method));
    if (method === 'GET') methods.add('HEAD');
  }
  for (const [path, methods] of methodsOf) {
    const allow = [...methods].sort().join(', ');
    app.all(path, (c) => {
      const error = new TidemarkError(
        'method_not_allowed',
        `${c.req.method} is not for ${path}; use ${allow}`,
      );
      const problem = problemOf(error);
      problem.headers.set('allow', allow);
      return isInfluxPath(path) ? influxFaultOf(error, problem) : problem;
    });
  }
}
