import { newDashboard } from '../dashboard.ts';
import { lines, number, stackedBars } from '../panels.ts';
import { prometheusRef, promql } from '../targets.ts';
import { prometheusVariable } from '../variables.ts';

const noValue = 'Prometheus has nothing of Tidemark in this time. Let it scrape /metrics: docs/grafana.md';
const half = { width: 12, height: 8, noValue, more: 'fleet', source: prometheusRef } as const;
const few = { width: 6, height: 4, noValue, more: 'fleet', source: prometheusRef } as const;
const rate = (metric: string, by: string) => `sum by (${by}) (rate(${metric}[$__rate_interval]))`;
const ACK = 'tidemark_ingest_ack_duration_seconds';
const quantile = (q: number, metric: string) =>
  `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket[$__rate_interval])))`;

/** How the platform itself does, from what Prometheus has scraped. */
export function platform() {
  const dashboard = newDashboard({
    name: 'platform',
    description:
      'How Tidemark itself does: what comes in, how fast it is acknowledged and stored, what waits.',
    from: 'now-1h',
    refresh: '30s',
  }).withVariable(prometheusVariable());
  for (const panel of [...figures(), ...intake(), ...storing(), ...process(), ...flows()])
    dashboard.withPanel(panel);
  return dashboard;
}

function figures() {
  return [
    number({
      title: 'Readings a second',
      description: 'Points that were accepted, from all sources, now.',
      unit: 'suffix: /s',
      targets: [promql('sum(rate(tidemark_ingest_points_total[$__rate_interval]))')],
      ...few,
    }).decimals(1),
    number(
      {
        title: 'Oldest that is not stored',
        description: 'For how long what waits longest in the spool has waited for the store.',
        unit: 's',
        targets: [promql('max(tidemark_spool_backlog_age_seconds{cursor="store"})')],
        ...few,
      },
      [
        ['orange', 10],
        ['red', 60],
      ],
    ),
    number(
      {
        title: 'In quarantine',
        description: 'What was refused and waits for somebody to replay or discard it.',
        unit: 'short',
        targets: [promql('sum(tidemark_quarantine_items)')],
        ...few,
        more: 'data-quality',
      },
      [['orange', 1]],
    ),
    number({
      title: 'MQTT connections',
      description: 'Clients that are connected to the broker now.',
      unit: 'short',
      targets: [promql('sum(tidemark_broker_connections)')],
      ...few,
    }),
  ];
}

function intake() {
  return [
    lines({
      title: 'Ingest rate',
      description: 'Points that were accepted each second, by the way they came.',
      unit: 'suffix: /s',
      targets: [promql(rate('tidemark_ingest_points_total', 'source'), { legend: '{{source}}' })],
      ...half,
    }).min(0),
    lines({
      title: 'Acknowledgement',
      description:
        'From the arrival of a message to its acknowledgement, of the one that waited longest in each group commit; and the part of it that the disk takes.',
      unit: 's',
      targets: [
        promql(quantile(0.5, ACK), { refId: 'A', legend: 'median' }),
        promql(quantile(0.99, ACK), { refId: 'B', legend: 'p99' }),
        promql(quantile(0.99, 'tidemark_spool_fsync_duration_seconds'), { refId: 'C', legend: 'disk, p99' }),
      ],
      ...half,
    }).min(0),
    stackedBars({
      title: 'Dropped by the broker',
      description: 'Messages that the broker could not deliver, or that QoS 0 allows to drop, by reason.',
      unit: 'short',
      targets: [
        promql('sum by (reason) (increase(tidemark_broker_dropped_messages_total[$__rate_interval]))', {
          legend: '{{reason}}',
        }),
      ],
      ...half,
    }),
    lines({
      title: 'Connections',
      description: 'MQTT clients, and those that follow readings live.',
      unit: 'short',
      targets: [
        promql('sum(tidemark_broker_connections)', { refId: 'A', legend: 'MQTT' }),
        promql('sum(tidemark_live_clients)', { refId: 'B', legend: 'live' }),
      ],
      ...half,
    }).min(0),
  ];
}

function storing() {
  return [
    lines({
      title: 'Spool backlog',
      description: 'Bytes of the log that each of its readers has still to read.',
      unit: 'bytes',
      targets: [promql('max by (cursor) (tidemark_spool_backlog_bytes)', { legend: '{{cursor}}' })],
      ...half,
    }).min(0),
    lines({
      title: 'Age of the backlog',
      description: 'How long the oldest of what each reader has still to read has been waiting.',
      unit: 's',
      targets: [promql('max by (cursor) (tidemark_spool_backlog_age_seconds)', { legend: '{{cursor}}' })],
      ...half,
    }).min(0),
    lines({
      title: 'Store latency',
      description: 'How long the store takes for a batch.',
      unit: 's',
      targets: [
        promql(quantile(0.5, 'tidemark_store_write_duration_seconds'), { refId: 'A', legend: 'median' }),
        promql(quantile(0.99, 'tidemark_store_write_duration_seconds'), { refId: 'B', legend: 'p99' }),
      ],
      ...half,
    }).min(0),
    stackedBars({
      title: 'Store errors',
      description:
        'Batches that the store did not take, by reason. They stay in the spool and are tried again.',
      unit: 'short',
      targets: [
        promql('sum by (reason) (increase(tidemark_store_write_failures_total[$__rate_interval]))', {
          legend: '{{reason}}',
        }),
      ],
      ...half,
    }),
  ];
}

function process() {
  return [
    lines({
      title: 'Memory',
      description: 'What the process occupies, and of that the heap that JavaScript uses.',
      unit: 'bytes',
      targets: [
        promql('sum(process_resident_memory_bytes{job="tidemark"})', { refId: 'A', legend: 'resident' }),
        promql('sum(nodejs_heap_size_used_bytes{job="tidemark"})', { refId: 'B', legend: 'heap' }),
      ],
      ...half,
    }).min(0),
    lines({
      title: 'Event loop',
      description: 'How late the event loop runs, at the 99th percentile.',
      unit: 's',
      targets: [promql('max(nodejs_eventloop_lag_p99_seconds{job="tidemark"})', { legend: 'p99' })],
      ...half,
    }).min(0),
    lines({
      title: 'HTTP requests',
      description: 'How long requests take at the 99th percentile.',
      unit: 's',
      targets: [promql(quantile(0.99, 'tidemark_http_request_duration_seconds'), { legend: 'p99' })],
      ...half,
    }).min(0),
    lines({
      title: 'Notifications',
      description: 'Notifications that wait to be delivered, by channel.',
      unit: 'short',
      targets: [promql('sum by (channel) (tidemark_notifications_waiting)', { legend: '{{channel}}' })],
      ...half,
      noValue: 'No channel is configured: docs/alerts.md',
      more: 'alerts',
    }).min(0),
  ];
}

/** Node-RED runs in a process of its own, started by the platform or apart from it, and may be switched off. */
function flows() {
  const text = {
    ...half,
    noValue: 'No flows run, or Prometheus does not scrape the process that starts them: docs/flows.md',
  };
  return [
    lines({
      title: 'Messages in flows',
      description: 'Messages that nodes received each second.',
      unit: 'suffix: /s',
      targets: [promql('sum(rate(tidemark_flows_messages_total[$__rate_interval]))', { legend: 'messages' })],
      ...text,
    }).min(0),
    lines({
      title: 'Memory of flows',
      description: 'What the process of Node-RED occupies, and of that the heap that JavaScript uses.',
      unit: 'bytes',
      targets: [
        promql('sum(tidemark_flows_resident_memory_bytes)', { refId: 'A', legend: 'resident' }),
        promql('sum(tidemark_flows_heap_used_bytes)', { refId: 'B', legend: 'heap' }),
      ],
      ...text,
    }).min(0),
    lines({
      title: 'Event loop of flows',
      description: 'How late the event loop of Node-RED runs, at the 99th percentile.',
      unit: 's',
      targets: [promql('max(tidemark_flows_event_loop_delay_p99_seconds)', { legend: 'p99' })],
      ...text,
    }).min(0),
    stackedBars({
      title: 'Restarts of flows',
      description: 'How often Node-RED ended and was started anew, by why it ended.',
      unit: 'short',
      targets: [
        promql('sum by (reason) (increase(tidemark_flows_restarts_total[$__rate_interval]))', {
          legend: '{{reason}}',
        }),
      ],
      ...text,
    }),
  ];
}
