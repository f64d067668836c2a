import * as common from '@grafana/grafana-foundation-sdk/common';
import { marks } from '../annotations.ts';
import { newDashboard } from '../dashboard.ts';
import { sensorLink } from '../links.ts';
import { columns, lines, number, rows, stackedBars } from '../panels.ts';
import { influx } from '../targets.ts';
import { storeVariable } from '../variables.ts';

/** The newest state of each alert, of those that changed within 90 days. */
const alertsNow =
  'SELECT last("state") AS "state", "firing" FROM "alerts" WHERE time > now() - 90d GROUP BY "rule", "sensor"';
const noRule = 'No alert has changed in this time. Make a rule: docs/alerts.md';
const few = { width: 6, height: 4 };

/** Alerts now and before: what fires, who took it on and how fast, which sensors are the worst. */
export function alerts() {
  return newDashboard({
    name: 'alerts',
    description:
      'Alerts now and before: what fires, who took it on and how fast, and which sensors are the worst.',
    from: 'now-24h',
    refresh: '30s',
  })
    .withVariable(storeVariable())
    .annotation(
      marks({
        name: 'Firing',
        color: 'red',
        query: `SELECT "message", "rule", "sensor", "severity" FROM "alerts" WHERE $timeFilter AND "state" = 'firing' LIMIT 500`,
        text: 'message',
        tags: 'rule,sensor,severity',
      }),
    )
    .withPanel(inState('firing', 'Firing', 'red', 'Alerts that fire and that nobody has taken on, now.'))
    .withPanel(
      inState(
        'acknowledged',
        'Acknowledged',
        'orange',
        'Alerts that fire and that somebody has taken on, now.',
      ),
    )
    .withPanel(inState('silenced', 'Silenced', 'blue', 'Alerts that fire while a silence covers them, now.'))
    .withPanel(
      number({
        title: 'Time to acknowledge',
        description: 'From the firing of an alert to its acknowledgement, the mean of this time.',
        unit: 's',
        noValue: 'Nobody has acknowledged an alert in this time: docs/alerts.md says how',
        more: 'alerts',
        targets: [
          influx(
            `SELECT mean("open_s") AS "time" FROM "alerts" WHERE $timeFilter AND "state" = 'acknowledged'`,
          ),
        ],
        ...few,
      }),
    )
    .withPanel(current())
    .withPanel(
      stackedBars({
        title: 'Alerts that began to fire',
        description: 'How many alerts began to fire, by severity.',
        unit: 'short',
        noValue: noRule,
        more: 'fleet',
        targets: [
          influx(
            `SELECT count("firing") FROM "alerts" WHERE $timeFilter AND "state" = 'firing' GROUP BY time($__interval), "severity" fill(0)`,
            { alias: '$tag_severity' },
          ),
        ],
        width: 12,
        height: 9,
      }).interval('1m'),
    )
    .withPanel(
      lines({
        title: 'Time to acknowledge and to resolve',
        description:
          'Seconds from the firing of alerts to their acknowledgement or end, the mean of each window.',
        unit: 's',
        noValue: noRule,
        more: 'alerts',
        targets: ['acknowledged', 'resolved'].map((state, index) =>
          influx(
            `SELECT mean("open_s") FROM "alerts" WHERE $timeFilter AND "state" = '${state}' GROUP BY time($__interval) fill(none)`,
            { refId: index === 0 ? 'A' : 'B', alias: state },
          ),
        ),
        width: 12,
        height: 9,
      }).interval('1m'),
    )
    .withPanel(
      rows({
        title: 'Worst sensors',
        description:
          'How often alerts of each sensor began to fire, the worst first. A click opens the sensor.',
        unit: 'short',
        noValue: noRule,
        more: 'sensor',
        targets: [
          influx(
            `SELECT count("firing") AS "fired" FROM "alerts" WHERE $timeFilter AND "state" = 'firing' GROUP BY "sensor"`,
            { isTable: true },
          ),
        ],
        width: 12,
        height: 9,
      })
        .transformations([columns(['sensor', 'fired'], ['Time', 'time'])])
        .sortBy([new common.TableSortByFieldStateBuilder().displayName('fired').desc(true)])
        .overrideByName('sensor', [{ id: 'links', value: [sensorLink('__value.raw').build()] }]),
    )
    .withPanel(history());
}

function inState(state: string, title: string, color: string, description: string) {
  return number(
    {
      title,
      description: `${description} Alerts of the last 90 days are looked at.`,
      unit: 'short',
      noValue: '0',
      more: 'alerts',
      targets: [influx(`SELECT count("firing") AS "alerts" FROM (${alertsNow}) WHERE "state" = '${state}'`)],
      ...few,
    },
    [[color, 1]],
  );
}

function current() {
  return rows({
    title: 'Alerts now',
    description: 'Alerts that fire, acknowledged or not. A click opens the sensor.',
    unit: 'short',
    noValue: 'Nothing fires. Rules are made as docs/alerts.md says',
    more: 'fleet',
    targets: [
      influx(
        `SELECT "state", "value", "severity", "message" FROM (SELECT last("firing") AS "firing", "state", "value", "severity", "message" FROM "alerts" WHERE time > now() - 90d GROUP BY "rule", "sensor") WHERE "firing" = 1 GROUP BY "rule", "sensor"`,
        { isTable: true },
      ),
    ],
    width: 24,
    height: 8,
  })
    .transformations([columns(['Time', 'rule', 'sensor', 'severity', 'state', 'value', 'message'])])
    .overrideByName('sensor', [{ id: 'links', value: [sensorLink('__value.raw').build()] }]);
}

function history() {
  return rows({
    title: 'History',
    description: 'The newest 500 changes of alerts in this time.',
    unit: 'short',
    noValue: noRule,
    more: 'sensor',
    targets: [
      influx(
        'SELECT "rule", "sensor", "severity", "state", "value", "open_s", "message" FROM "alerts" WHERE $timeFilter ORDER BY time DESC LIMIT 500',
        { isTable: true },
      ),
    ],
    width: 12,
    height: 9,
  })
    .transformations([columns(['Time', 'rule', 'sensor', 'severity', 'state', 'value', 'open_s', 'message'])])
    .overrideByName('open_s', [
      { id: 'unit', value: 's' },
      { id: 'displayName', value: 'fired for' },
    ])
    .overrideByName('sensor', [{ id: 'links', value: [sensorLink('__value.raw').build()] }]);
}
