import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as stateTimeline from '@grafana/grafana-foundation-sdk/statetimeline';
import { columns, describe, lines, number, rows, thresholds } from '../panels.ts';
import { influx } from '../targets.ts';

const none = 'No service was heard of in this time. Let one send heartbeats: docs/observability.md';

/** Services whose heartbeats are watched, and the platform's own parts: who is up, since when, and how fast they answer. */
export function services() {
  return [down(), upAndDown(), latency(), changes()];
}

function down() {
  return number(
    {
      title: 'Services down',
      description:
        'Services, addresses and parts of the platform that are down, now. What went down within 90 days is looked at.',
      unit: 'short',
      noValue: '0',
      more: 'alerts',
      targets: [
        influx(
          `SELECT count("down") AS "down" FROM (SELECT last("firing") AS "down" FROM "alerts" WHERE time > now() - 90d AND "rule" = 'service-down' GROUP BY "sensor") WHERE "down" > 0`,
        ),
      ],
      width: 4,
      height: 9,
    },
    [['red', 1]],
  );
}

function upAndDown() {
  return describe(new stateTimeline.PanelBuilder(), {
    title: 'Services up and down',
    description:
      'Who was up when: services that send heartbeats, addresses that are looked at, and the parts of the platform.',
    unit: 'short',
    noValue: none,
    more: 'platform',
    targets: [
      influx(
        'SELECT min("up") FROM "heartbeats" WHERE $timeFilter GROUP BY time($__interval), "service" fill(none)',
        { alias: '$tag_service' },
      ),
    ],
    width: 20,
    height: 9,
  })
    .interval('1m')
    .maxDataPoints(300)
    .mappings([
      {
        type: dashboard.MappingType.ValueToText,
        options: {
          '0': { text: 'down', color: 'red', index: 0 },
          '1': { text: 'up', color: 'green', index: 1 },
        },
      },
    ])
    .thresholds(
      thresholds([
        ['red', 0],
        ['green', 1],
      ]),
    )
    .showValue(common.VisibilityMode.Never)
    .mergeValues(true);
}

function latency() {
  return lines({
    title: 'Latency of services',
    description:
      'How long a service says that its work takes it, and how long an address that is looked at takes to answer; the mean of each window.',
    unit: 'ms',
    noValue: 'No service has told its latency in this time: docs/observability.md',
    more: 'platform',
    targets: [
      influx(
        'SELECT mean("latency_ms") FROM "heartbeats" WHERE $timeFilter GROUP BY time($__interval), "service" fill(none)',
        { alias: '$tag_service' },
      ),
    ],
    width: 12,
    height: 9,
  })
    .interval('1m')
    .min(0);
}

function changes() {
  return rows({
    title: 'Services that went down and came back',
    description: 'Since when which service is down, or up again: the newest 50 changes of this time.',
    unit: 'short',
    noValue: 'No service has gone down in this time.',
    more: 'alerts',
    targets: [
      influx(
        `SELECT "sensor" AS "service", "state", "message" FROM "alerts" WHERE $timeFilter AND "rule" = 'service-down' ORDER BY time DESC LIMIT 50`,
        { isTable: true },
      ),
    ],
    width: 12,
    height: 9,
  }).transformations([columns(['Time', 'service', 'state', 'message'])]);
}
