import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as histogram from '@grafana/grafana-foundation-sdk/histogram';
import { marks } from '../annotations.ts';
import { newDashboard } from '../dashboard.ts';
import { bars, columns, describe, lines, metricUnits, rows, withBand } from '../panels.ts';
import { asVariable, influx, lastOf, math } from '../targets.ts';
import { isIn, locationVariable, metricVariable, sensorVariable, storeVariable } from '../variables.ts';

const where = `WHERE $timeFilter AND ${isIn('location')} AND ${isIn('sensor')}`;
/** A regular expression, not a quoted name: no metric's name can end it, and one that holds texts yields nothing. */
const metric = `/^${asVariable('metric', 'regex')}$/`;
const publish = 'No readings in this time. Widen it, or choose another sensor or metric.';

/** A few sensors closely: each metric over time, beside the week before, how complete it is, and its newest readings. */
export function sensor() {
  return newDashboard({
    name: 'sensor',
    description:
      'Sensors closely: each metric over time with its alerts and thresholds, and how complete the data are.',
    from: 'now-6h',
    refresh: '30s',
  })
    .withVariable(storeVariable())
    .withVariable(locationVariable())
    .withVariable(sensorVariable())
    .withVariable(metricVariable())
    .annotation(
      marks({
        name: 'Alerts',
        color: 'red',
        query: `SELECT "message", "state", "rule", "severity" FROM "alerts" WHERE $timeFilter AND ${isIn('sensor')} LIMIT 500`,
        text: 'message',
        tags: 'state,severity,rule',
      }),
    )
    .annotation(
      marks({
        name: 'Quarantine',
        color: 'orange',
        query: `SELECT "count", "sensor", "check" FROM "quality" WHERE $timeFilter AND "check" = 'refused' AND ${isIn('sensor')} LIMIT 500`,
        text: 'count',
        tags: 'check,sensor',
      }),
    )
    .withRow(new dashboard.RowBuilder(asVariable('metric')).repeat('metric'))
    .withPanel(overTime())
    .withPanel(weekBefore())
    .withPanel(distribution())
    .withPanel(completeness())
    .withRow(new dashboard.RowBuilder('Newest readings'))
    .withPanel(newestReadings());
}

function overTime() {
  const panel = lines({
    title: asVariable('metric'),
    description:
      'The mean of each window, by sensor, in a band from the lowest to the highest value of all sensors chosen. Zoomed in until a window holds one reading, the points are the readings. Dashed: thresholds of the rules about these sensors.',
    unit: 'short',
    noValue: publish,
    more: 'alerts',
    targets: [...meanAndBand(), threshold('upper', 'D'), threshold('lower', 'E')],
    width: 14,
    height: 10,
  });
  return banded(panel).overrideByRegexp('/^(upper|lower) threshold of /', [
    { id: 'color', value: { mode: 'fixed', fixedColor: 'red' } },
    { id: 'custom.lineStyle', value: { fill: 'dash', dash: [10, 10] } },
    { id: 'custom.fillOpacity', value: 0 },
    { id: 'custom.showPoints', value: 'never' },
    { id: 'custom.spanNulls', value: true },
  ]);
}

function weekBefore() {
  const panel = lines({
    title: `${asVariable('metric')}, the week before`,
    description: 'The same as it was seven days earlier.',
    unit: 'short',
    noValue: 'No readings a week before this time.',
    more: 'fleet',
    targets: meanAndBand(),
    width: 10,
    height: 10,
  }).timeShift('7d');
  return banded(panel);
}

function distribution() {
  const panel = describe(new histogram.PanelBuilder(), {
    title: `${asVariable('metric')}, distribution`,
    description: 'How often which value was met, over the means of windows.',
    unit: 'short',
    noValue: publish,
    more: 'data-quality',
    targets: [mean()],
    width: 14,
    height: 8,
  })
    .combine(false)
    .overrideByQuery('A', [named(ofSensor)]);
  for (const [regex, unit] of metricUnits) panel.overrideByRegexp(regex, [{ id: 'unit', value: unit }]);
  return panel;
}

function mean() {
  return influx(
    `SELECT mean(${metric}) FROM "readings" ${where} GROUP BY time($__interval), "sensor" fill(none)`,
    { refId: 'A', alias: '$tag_sensor $col' },
  );
}

function meanAndBand() {
  const bound = (fn: 'min' | 'max', refId: string, alias: string) =>
    influx(`SELECT ${fn}(${metric}) FROM "readings" ${where} GROUP BY time($__interval) fill(none)`, {
      refId,
      alias,
    });
  return [mean(), bound('min', 'B', 'lowest'), bound('max', 'C', 'highest')];
}

/** Written each minute for every series that a rule watches. */
function threshold(side: 'upper' | 'lower', refId: string) {
  const alias = `${side} threshold of $tag_rule`;
  return influx(
    `SELECT last("${side}") FROM "rule_thresholds" WHERE $timeFilter AND ${isIn('sensor')} AND ${isIn('metric')} GROUP BY time($__interval), "rule" fill(none)`,
    { refId, alias },
  );
}

type Lines = ReturnType<typeof lines>;

/** A series' name holds the metric's, by which its unit is found; for that it must be named before anything looks. */
function banded(panel: Lines): Lines {
  panel
    .overrideByQuery('A', [named(ofSensor)])
    .overrideByQuery('B', [named(`lowest ${asVariable('metric')}`)])
    .overrideByQuery('C', [named(`highest ${asVariable('metric')}`)]);
  for (const [side, refId] of [
    ['upper', 'D'],
    ['lower', 'E'],
  ] as const)
    panel.overrideByQuery(refId, [
      named(`${side} threshold of ${asVariable('__field.labels.rule')} (${asVariable('metric')})`),
    ]);
  withBand(panel);
  for (const [regex, unit] of metricUnits) panel.overrideByRegexp(regex, [{ id: 'unit', value: unit }]);
  return panel;
}

const ofSensor = `${asVariable('__field.labels.sensor')} ${asVariable('metric')}`;

function named(displayName: string) {
  return { id: 'displayName', value: displayName };
}

function completeness() {
  return bars(
    {
      title: `${asVariable('metric')}, completeness`,
      description:
        'Readings that there are in this time, as a share of those that the expected interval asks for, by sensor.',
      unit: 'percentunit',
      noValue: 'No expected interval is registered for these sensors. Give them one: docs/registry.md',
      more: 'data-quality',
      targets: [
        influx(`SELECT count(${metric}) FROM "readings" ${where} GROUP BY "sensor"`, {
          refId: 'A',
          isHidden: true,
        }),
        influx(
          `SELECT last("expected_interval_s") * 1000 / (${asVariable('__to')} - ${asVariable('__from')}) FROM "sensor_state" WHERE time > now() - 5m AND ${isIn('sensor')} GROUP BY "sensor"`,
          { refId: 'B', isHidden: true },
        ),
        lastOf('A', 'C'),
        lastOf('B', 'D'),
        math('$C * $D', 'E'),
      ],
      width: 10,
      height: 8,
    },
    [],
  )
    .max(1)
    .displayMode(common.BarGaugeDisplayMode.Lcd);
}

function newestReadings() {
  const panel = rows({
    title: 'Newest readings',
    description: 'The newest 200 readings of this time as they came, texts too.',
    unit: 'short',
    noValue: publish,
    more: 'fleet',
    targets: [
      influx(
        `SELECT /^${asVariable('metric', 'regex')}(_text)?$/, "sensor", "location" FROM "readings" ${where} ORDER BY time DESC LIMIT 200`,
        { isTable: true },
      ),
    ],
    width: 24,
    height: 10,
  })
    // Where all metrics are chosen, the expression finds the tags as well.
    .transformations([columns(['Time', 'sensor', 'location'], ['sensor_1', 'location_1'])]);
  for (const [regex, unit] of metricUnits) panel.overrideByRegexp(regex, [{ id: 'unit', value: unit }]);
  return panel;
}
