import { newDashboard } from '../dashboard.ts';
import { lines, number, stackedBars } from '../panels.ts';
import { asVariable, prometheusRef, promql } from '../targets.ts';
import { prometheusListVariable, prometheusVariable } from '../variables.ts';

type Side = 'server' | 'client';

const METHOD = 'grpc_service, grpc_method';
const RATE = '[$__rate_interval]';
const noCalls = {
  server:
    'No calls were taken in this time. Which services are seen here, and how one joins: docs/observability.md',
  client:
    'No calls were made in this time. Which clients are seen here, and how one joins: docs/observability.md',
};

/** Calls that services take: those of Tidemark, and of any other with the same metrics, whatever it is written in. */
export function grpcServer() {
  return grpc(
    'server',
    'gRPC calls as those see them who take them: how many, how they end, how long they take.',
  );
}

/** The same calls as those see them who make them, with what the network adds. */
export function grpcClient() {
  return grpc(
    'client',
    'gRPC calls as those see them who make them: how many, how they end, how long they take.',
  );
}

function grpc(side: Side, description: string) {
  const started = `grpc_${side}_started_total`;
  const dashboard = newDashboard({ name: `grpc-${side}`, description, from: 'now-1h', refresh: '30s' })
    .withVariable(prometheusVariable())
    .withVariable(prometheusListVariable('job', 'Job', `label_values(${started}, job)`))
    .withVariable(
      prometheusListVariable('instance', 'Instance', `label_values(${started}{${isIn('job')}}, instance)`),
    )
    .withVariable(
      prometheusListVariable(
        'service',
        'Service',
        `label_values(${started}{${isIn('job')}, ${isIn('instance')}}, grpc_service)`,
      ),
    );
  for (const panel of [...figures(side), ...calls(side), ...latencies(side), ...traffic(side)])
    dashboard.withPanel(panel);
  return dashboard;
}

/** A matcher of a label; the data source escapes what is chosen, for a text in double quotes. */
function isIn(variable: string, label = variable): string {
  return `${label}=~"${asVariable(variable)}"`;
}

function figures(side: Side) {
  const few = textOf(side, { width: 6, height: 4 });
  return [
    number({
      title: 'Calls a second',
      description: 'Calls that have ended, now.',
      unit: 'suffix: /s',
      targets: [promql(`sum(rate(${of(side, 'handled_total')}${RATE}))`)],
      ...few,
    }).decimals(1),
    number(
      {
        title: 'Failed',
        description: 'Share of the calls that ended with another code than OK.',
        unit: 'percentunit',
        targets: [promql(failedShare(side))],
        ...few,
      },
      [
        ['orange', 0.01],
        ['red', 0.05],
      ],
    ).decimals(2),
    number({
      title: 'Latency, p99',
      description: 'What 99 of 100 unary calls stay below.',
      unit: 's',
      targets: [promql(quantile(side, 0.99))],
      ...few,
    }),
    number({
      title: 'In flight',
      description: 'Calls that were started and have not ended, streams among them.',
      unit: 'short',
      targets: [promql(`sum(${inFlight(side)})`)],
      ...few,
    }),
  ];
}

function calls(side: Side) {
  const half = textOf(side, { width: 12, height: 8 });
  return [
    lines({
      title: 'Calls',
      description: 'Calls that ended each second, by method.',
      unit: 'suffix: /s',
      targets: [promql(`sum by (${METHOD}) (rate(${of(side, 'handled_total')}${RATE}))`, methodLegend)],
      ...half,
    }).min(0),
    stackedBars({
      title: 'Failed calls by code',
      description: 'Calls that ended with another code than OK. Canceled is what the caller gave up.',
      unit: 'short',
      targets: [
        promql(`sum by (grpc_code) (increase(${of(side, 'handled_total', 'grpc_code!="OK"')}${RATE}))`, {
          legend: '{{grpc_code}}',
        }),
      ],
      ...half,
      noValue: 'No call has failed in this time.',
    }),
    stackedBars({
      title: 'Failed calls by method',
      description: 'The same by the method that was called.',
      unit: 'short',
      targets: [
        promql(
          `sum by (${METHOD}) (increase(${of(side, 'handled_total', 'grpc_code!="OK"')}${RATE}))`,
          methodLegend,
        ),
      ],
      ...half,
      noValue: 'No call has failed in this time.',
    }),
    lines({
      title: 'In flight by method',
      description:
        'Calls that were started and have not ended. A stream is one call for as long as it is open.',
      unit: 'short',
      targets: [promql(inFlight(side), methodLegend)],
      ...half,
    }).min(0),
  ];
}

function latencies(side: Side) {
  const half = textOf(side, { width: 12, height: 8 });
  return [
    lines({
      title: 'Latency',
      description: 'How long unary calls take. Streams, which last as long as they are wanted, are left out.',
      unit: 's',
      targets: ([0.5, 0.95, 0.99] as const).map((q, index) =>
        promql(quantile(side, q), { refId: 'ABC'[index]!, legend: q === 0.5 ? 'median' : `p${q * 100}` }),
      ),
      ...half,
    }).min(0),
    lines({
      title: 'Latency by method, p99',
      description: 'What 99 of 100 unary calls of each method stay below.',
      unit: 's',
      targets: [promql(quantile(side, 0.99, `, ${METHOD}`), methodLegend)],
      ...half,
    }).min(0),
  ];
}

function traffic(side: Side) {
  const half = textOf(side, { width: 12, height: 8 });
  const rateOf = (metric: string) => `sum(rate(${of(side, metric)}${RATE}))`;
  return [
    lines({
      title: 'Messages',
      description: 'Messages that went each way each second; a stream has many.',
      unit: 'suffix: /s',
      targets: [
        promql(rateOf('msg_received_total'), { refId: 'A', legend: 'received' }),
        promql(rateOf('msg_sent_total'), { refId: 'B', legend: 'sent' }),
      ],
      ...half,
    }).min(0),
    lines({
      title: 'Calls by instance',
      description: 'Calls that were started each second, by the process that counted them.',
      unit: 'suffix: /s',
      targets: [
        promql(`sum by (job, instance) (rate(${of(side, 'started_total')}${RATE}))`, {
          legend: '{{job}} {{instance}}',
        }),
      ],
      ...half,
    }).min(0),
  ];
}

const methodLegend = { legend: '{{grpc_service}}/{{grpc_method}}' };

function textOf(side: Side, size: { width: number; height: number }) {
  return {
    ...size,
    noValue: noCalls[side],
    more: side === 'server' ? ('grpc-client' as const) : ('grpc-server' as const),
    source: prometheusRef,
  };
}

/** A metric of the processes and services chosen. */
function of(side: Side, metric: string, more?: string): string {
  const matchers = [isIn('job'), isIn('instance'), isIn('service', 'grpc_service'), ...(more ? [more] : [])];
  return `grpc_${side}_${metric}{${matchers.join(', ')}}`;
}

/** Zero where calls ended and none failed: then there is no series of another code. */
function failedShare(side: Side): string {
  const all = `sum(rate(${of(side, 'handled_total')}${RATE}))`;
  const failed = `sum(rate(${of(side, 'handled_total', 'grpc_code!="OK"')}${RATE}))`;
  return `(${failed} or vector(0)) / ${all}`;
}

/** A method none of whose calls has ended yet has nothing that could be taken away. */
function inFlight(side: Side): string {
  const started = `sum by (${METHOD}) (${of(side, 'started_total')})`;
  return `${started} - (sum by (${METHOD}) (${of(side, 'handled_total')}) or 0 * ${started})`;
}

function quantile(side: Side, q: number, by = ''): string {
  return `histogram_quantile(${q}, sum by (le${by}) (rate(${of(side, 'handling_seconds_bucket', 'grpc_type="unary"')}${RATE})))`;
}
