import * as common from '@grafana/grafana-foundation-sdk/common';
import { RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import * as geomap from '@grafana/grafana-foundation-sdk/geomap';
import * as heatmap from '@grafana/grafana-foundation-sdk/heatmap';
import { newDashboard } from '../dashboard.ts';
import { sensorLink } from '../links.ts';
import { columns, describe, lines, metricUnits, number, renamed, rows, thresholds } from '../panels.ts';
import { influx } from '../targets.ts';
import { isIn, locationVariable, storeVariable } from '../variables.ts';
import { services } from './services.ts';

/** `sensor_state` is written each minute; what is older is not the state of now. */
const NOW = 'time > now() - 5m';
/** An alert has a point when it changes, however long ago that was. */
const OPEN_ALERTS = 'time > now() - 90d';
const newest = (field: string) =>
  `SELECT last("${field}") AS "${field}" FROM "sensor_state" WHERE ${NOW} AND ${isIn('location')} GROUP BY "sensor"`;
const register =
  'Nothing is known of the last 5 minutes. Is Tidemark running? Publish a reading: docs/getting-started.md';
const few = { width: 4, height: 8 };

/** All sensors together: who reports, who is silent, what is wrong, and the newest values. */
export function fleet() {
  const dashboard = newDashboard({
    name: 'fleet',
    description:
      'All sensors together: who reports, who is silent, what is in alert, and the newest values. Start here.',
    from: 'now-6h',
    refresh: '30s',
  })
    .withVariable(storeVariable())
    .withVariable(locationVariable())
    .withPanel(
      number({
        title: 'Reporting',
        description: 'Registered sensors that are heard of as often as expected, now.',
        unit: 'short',
        noValue: register,
        more: 'data-quality',
        targets: [influx(`SELECT sum("up") AS "reporting" FROM (${newest('up')})`)],
        ...few,
      }),
    )
    .withPanel(
      number(
        {
          title: 'Silent',
          description:
            'Registered sensors that sent nothing for several of their expected intervals, or never did, now.',
          unit: 'short',
          noValue: register,
          more: 'data-quality',
          targets: [influx(`SELECT count("up") - sum("up") AS "silent" FROM (${newest('up')})`)],
          ...few,
        },
        [['orange', 1]],
      ),
    )
    .withPanel(
      number(
        {
          title: 'In alert',
          description:
            'Sensors with an alert that fires, acknowledged or not, now; services are below. Alerts of the last 90 days are looked at.',
          unit: 'short',
          noValue: '0',
          more: 'alerts',
          targets: [
            influx(
              `SELECT count("open") AS "in alert" FROM (SELECT sum("firing") AS "open" FROM (SELECT last("firing") AS "firing" FROM "alerts" WHERE ${OPEN_ALERTS} AND "rule" != 'service-down' GROUP BY "rule", "sensor") GROUP BY "sensor") WHERE "open" > 0`,
            ),
          ],
          ...few,
        },
        [['red', 1]],
      ),
    )
    .withPanel(
      lines({
        title: 'Readings a second',
        description: 'Readings that were accepted, by the minute of their acceptance.',
        unit: 'suffix: /s',
        noValue: 'No readings in this time. Widen it, or publish one: docs/getting-started.md',
        more: 'platform',
        targets: [
          influx(
            `SELECT sum("readings") * 1000 / $__interval_ms AS "readings" FROM "location_state" WHERE $timeFilter AND ${isIn('location')} GROUP BY time($__interval) fill(none)`,
            { alias: 'accepted' },
          ),
        ],
        width: 12,
        height: 8,
      })
        .interval('1m')
        .min(0),
    )
    .withPanel(latest())
    .withPanel(map())
    .withPanel(silence())
    .withRow(new RowBuilder('Services'));
  for (const panel of services()) dashboard.withPanel(panel);
  return dashboard;
}

function latest() {
  const panel = rows({
    title: 'Latest values',
    description:
      'The newest value of every metric of every sensor that reported within a day. A click opens the sensor.',
    unit: 'short',
    noValue: 'No sensor has reported within a day. Publish a reading: docs/getting-started.md',
    more: 'sensor',
    targets: [
      influx(
        `SELECT last(/.*/) FROM "readings" WHERE time > now() - 1d AND ${isIn('location')} GROUP BY "sensor", "location"`,
        { isTable: true },
      ),
    ],
    width: 12,
    height: 12,
  })
    .transformations([renamed('^last_(.*)$', '$1'), columns(['sensor', 'location'], ['Time', 'time'])])
    .overrideByName('sensor', [{ id: 'links', value: [sensorLink('__value.raw').build()] }]);
  for (const [regex, unit] of metricUnits) panel.overrideByRegexp(regex, [{ id: 'unit', value: unit }]);
  return panel;
}

function map() {
  return describe(new geomap.PanelBuilder(), {
    title: 'Locations',
    description:
      'Where sensors are, by the coordinates of their registered locations: green reports, red is silent. A click opens the sensor.',
    unit: 'short',
    noValue: 'No location has coordinates. Give it some: docs/registry.md',
    more: 'sensor',
    targets: [
      influx(
        `SELECT last("lat") AS "lat", last("lon") AS "lon", last("up") AS "up", last("last_seen_s") AS "last_seen_s" FROM "sensor_state" WHERE ${NOW} AND ${isIn('location')} GROUP BY "sensor", "location"`,
        { isTable: true },
      ),
    ],
    width: 12,
    height: 12,
  })
    .view(new geomap.MapViewConfigBuilder().id('fit').lat(0).lon(0).zoom(15).allLayers(true))
    .basemap(new common.MapLayerOptionsBuilder().type('default').name('Map'))
    .layers([
      new common.MapLayerOptionsBuilder()
        .type('markers')
        .name('Sensors')
        .config({ showLegend: false, style: { size: { fixed: 6 }, color: { field: 'up' }, opacity: 0.8 } })
        .location(
          new common.FrameGeometrySourceBuilder()
            .mode(common.FrameGeometrySourceMode.Coords)
            .latitude('lat')
            .longitude('lon'),
        )
        .tooltip(true),
    ])
    .thresholds(
      thresholds([
        ['red', 0],
        ['green', 1],
      ]),
    )
    .overrideByName('last_seen_s', [{ id: 'unit', value: 's' }])
    .overrideByName('sensor', [{ id: 'links', value: [sensorLink('__value.raw').build()] }]);
}

function silence() {
  return describe(new heatmap.PanelBuilder(), {
    title: 'Silence',
    description:
      'How long sensors had not been heard of, the longest within each cell; nothing is drawn up to two minutes. A row is a sensor.',
    unit: 's',
    noValue: 'Every sensor was heard of all the time, or none was registered yet.',
    more: 'data-quality',
    targets: [
      influx(
        `SELECT max("last_seen_s") FROM "sensor_state" WHERE $timeFilter AND "last_seen_s" > 120 AND ${isIn('location')} GROUP BY time($__interval), "sensor" fill(null)`,
        { alias: '$tag_sensor' },
      ),
    ],
    width: 24,
    height: 10,
  })
    .interval('1m')
    .maxDataPoints(120)
    .color(
      new heatmap.HeatmapColorOptionsBuilder()
        .mode(heatmap.HeatmapColorMode.Scheme)
        .scheme('Inferno')
        .steps(32)
        .exponent(0.5)
        .reverse(false),
    )
    .cellValues(new heatmap.CellValuesBuilder().unit('s'))
    .showLegend();
}
