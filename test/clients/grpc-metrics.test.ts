import { countValues, interpolatePromql, readDashboards } from '@tidemark/grafana/testing';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it } from 'vitest';
import { startPrometheus } from '../grafana/prometheus.ts';
import { findProgram } from '../support/find-program.ts';
import { startEcho } from './grpc-metrics/echo.ts';
import { type ForeignEcho, startGoEcho, startPythonEcho } from './grpc-metrics/foreign-echo.ts';

// The examples of docs/observability.md, taken out of it, in services that call and are called.

const go = findProgram('go');
/** A Python with the packages grpcio and prometheus-client. */
const python = process.env.GRPC_PYTHON;
const prometheus = findProgram('prometheus');
const hasGo = requireTool('Go', go);
const hasPython = requireTool('GRPC_PYTHON', python);
const patience = { timeout: 30_000, interval: 500 };
/** How the calls end: OK, NotFound, InvalidArgument, FailedPrecondition, Aborted, Canceled. */
const codes = [0, 0, 5, 0, 3, 0, 9, 0, 10, 1];

describe.skipIf(!hasGo)('a Go service', () => {
  // The first build compiles gRPC, too.
  it('has the series of our own interceptors', { timeout: 600_000 }, async () =>
    expectSameSeries(await startGoEcho(go!)),
  );
});

describe.skipIf(!hasPython)('a Python service', () => {
  it('has the series of our own interceptors', async () => expectSameSeries(await startPythonEcho(python!)));
});

describe.skipIf(![hasGo, hasPython, requireTool('prometheus', prometheus)].every(Boolean))(
  'in Prometheus',
  () => {
    it('every panel of the gRPC dashboards shows both', { timeout: 600_000 }, async () => {
      const services = { go: await startGoEcho(go!), python: await startPythonEcho(python!) };
      const fromMs = Date.now();
      const jobs = Object.entries(services).map(([job, { metricsAddress }]) => [job, [metricsAddress]]);
      const { query, queryRange } = await startPrometheus(prometheus!, Object.fromEntries(jobs));
      const panels = readDashboards()
        .filter(({ name }) => name === 'grpc-server' || name === 'grpc-client')
        .flatMap((dashboard) => dashboard.panels)
        .flatMap(({ targets }) => targets);
      expect(panels.length).toBeGreaterThan(10);
      // A rate wants some scrapes with work between them.
      const work = async () => {
        for (const service of Object.values(services)) await service.call(service.address);
        const scrapes = await query('min by (job) (count_over_time(grpc_client_handled_total[1m])) >= 5');
        return scrapes.length;
      };
      await expect.poll(() => work().catch(() => 0), patience).toBe(2);
      for (const job of Object.keys(services)) {
        for (const { expr, where } of panels) {
          const view = { fromMs, toMs: Date.now() + 1000, intervalMs: 1000 };
          const variables = { job: [job], instance: 'all', service: ['test.v1.Echo'] } as const;
          const asked = interpolatePromql(expr!, { ...view, variables }, 1000);
          const shown = countValues(await queryRange(asked, view.fromMs, view.toMs, 1));
          expect(shown, `${job}: ${where}`).toBeGreaterThan(0);
        }
      }
    });
  },
);

/** As server it is called by ours, and as client it calls ours; the series must be those of ours calling itself. */
async function expectSameSeries(foreign: ForeignEcho): Promise<void> {
  const [own, peer] = [await startEcho(), await startEcho()];
  expect(await own.call(own.address)).toEqual(codes);
  expect(await peer.call(foreign.address)).toEqual(codes);
  expect(await foreign.call(peer.address)).toEqual(codes);
  const expected = seriesOf(await own.metrics());
  expect(expected).toMatchObject({
    'grpc_server_started_total grpc_method=Many grpc_service=test.v1.Echo grpc_type=server_stream': 3,
    'grpc_client_handled_total grpc_code=Canceled grpc_method=Many grpc_service=test.v1.Echo grpc_type=server_stream': 1,
  });
  // Some ends are heard of a moment later.
  await expect.poll(async () => seriesOf(await foreign.metrics()), patience).toEqual(expected);
  await expect.poll(async () => seriesOf(await peer.metrics()), patience).toEqual(expected);
}

/** The value of each gRPC series by its name and labels; null where it says how long something took. */
function seriesOf(scraped: string): Record<string, number | null> {
  const samples = scraped.matchAll(/^(grpc_\w+)\{(.*)\} (\S+)$/gm);
  return Object.fromEntries(
    [...samples].map(([, name, labels, value]) => {
      const pairs = [...labels!.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) =>
        // A bucket may be told as 1 or as 1.0.
        label === 'le' ? `le=${Number(text!.replace('+Inf', 'Infinity'))}` : `${label}=${text}`,
      );
      const isTime = /_sum$/.test(name!) || (/_bucket$/.test(name!) && !labels!.includes('le="+Inf"'));
      return [[name, ...pairs.sort()].join(' '), isTime ? null : Number(value)];
    }),
  );
}
