import { newDashboard } from '../dashboard.ts';
import { sensorLink } from '../links.ts';
import { bars, columns, grouped, lines, number, rows, stackedBars, withBand } from '../panels.ts';
import { influx } from '../targets.ts';
import { isIn, storeVariable, travellerSensorVariable, travellerTypeVariable } from '../variables.ts';

const where = `WHERE $timeFilter AND ${isIn('sensor')} AND ${isIn('type')}`;
const noValue = 'No traveller was seen in this time. Let a camera publish positions: docs/travellers.md';
const distinct = 'count(distinct("traveller"))';
const few = { width: 6, height: 4, noValue, more: 'sensor' } as const;
const half = { width: 12, height: 9, noValue, more: 'sensor' } as const;

/** Who passes the cameras, and how fast: people, cyclists, cars. */
export function travellers() {
  const dashboard = newDashboard({
    name: 'travellers',
    description: 'Who passes the cameras, how many at once, and how fast.',
    from: 'now-1h',
    refresh: '30s',
  })
    .withVariable(storeVariable())
    .withVariable(travellerSensorVariable())
    .withVariable(travellerTypeVariable());
  for (const panel of [...figures(), speed(), count(), ...bySensor(), stays()]) dashboard.withPanel(panel);
  return dashboard;
}

function figures() {
  const ask = (select: string) => [influx(`SELECT ${select} FROM "travellers" ${where}`)];
  return [
    number({
      title: 'Travellers',
      description: 'Travellers of these types that these cameras saw in this time, each counted once.',
      unit: 'short',
      targets: ask(`${distinct} AS "travellers"`),
      ...few,
    }),
    number({
      title: 'Mean speed',
      description:
        'The mean of all speeds of this time. A speed is that between two positions of a traveller.',
      unit: 'velocityms',
      targets: ask('mean("speed") AS "speed"'),
      ...few,
    }).decimals(1),
    number({
      title: 'Highest speed',
      description: 'The highest speed of this time.',
      unit: 'velocityms',
      targets: ask('max("speed") AS "speed"'),
      ...few,
    }).decimals(1),
    number({
      title: 'Positions',
      description: 'Positions that these cameras told in this time.',
      unit: 'short',
      targets: ask('count("x") AS "positions"'),
      ...few,
    }),
  ];
}

function speed() {
  const bound = (fn: 'min' | 'max', refId: string, alias: string) =>
    influx(`SELECT ${fn}("speed") FROM "travellers" ${where} GROUP BY time($__interval) fill(none)`, {
      refId,
      alias,
    });
  return withBand(
    lines({
      title: 'Speed',
      description: 'The mean speed by type, in a band from the lowest to the highest of all types chosen.',
      unit: 'velocityms',
      targets: [
        influx(
          `SELECT mean("speed") FROM "travellers" ${where} GROUP BY time($__interval), "type" fill(none)`,
          {
            refId: 'A',
            alias: '$tag_type',
          },
        ),
        bound('min', 'B', 'lowest'),
        bound('max', 'C', 'highest'),
      ],
      ...half,
    })
      .interval('1m')
      .min(0),
  );
}

function count() {
  return stackedBars({
    title: 'Count',
    description:
      'Travellers that were seen in each window, by type; one that is seen in two windows counts in both.',
    unit: 'short',
    targets: [
      influx(`SELECT ${distinct} FROM "travellers" ${where} GROUP BY time($__interval), "type" fill(0)`, {
        alias: '$tag_type',
      }),
    ],
    ...half,
  }).interval('1m');
}

function bySensor() {
  const of = (select: string) => [
    influx(`SELECT ${select} FROM "travellers" ${where} GROUP BY "sensor"`, { alias: '$tag_sensor' }),
  ];
  return [
    bars({
      title: 'Travellers by camera',
      description: 'Travellers that each camera saw in this time, each counted once for each camera.',
      unit: 'short',
      targets: of(`${distinct} AS "travellers"`),
      ...half,
    }),
    bars({
      title: 'Mean speed by camera',
      description: 'The mean of the speeds at each camera in this time.',
      unit: 'velocityms',
      targets: of('mean("speed") AS "speed"'),
      ...half,
    }).decimals(1),
  ];
}

/** Grafana makes them of positions: to InfluxQL, who travels is a field, by which nothing is grouped. */
function stays() {
  return rows({
    title: 'Latest stays',
    description:
      'Who was last at which camera, from when to when, and how fast, from the newest 5000 positions of this time.',
    unit: 'short',
    noValue,
    more: 'sensor',
    targets: [
      influx(
        `SELECT "traveller", "type", "sensor", "speed", "x" FROM "travellers" ${where} ORDER BY time DESC LIMIT 5000`,
        { isTable: true },
      ),
    ],
    width: 24,
    height: 12,
  })
    .transformations([
      // Grafana's versions call the column of times by either name.
      grouped(['traveller', 'type', 'sensor'], {
        Time: ['min', 'max'],
        time: ['min', 'max'],
        speed: ['min', 'mean', 'max'],
        x: ['count'],
      }),
      columns(['Time (min)', 'time (min)', 'Time (max)', 'time (max)', 'sensor', 'type', 'traveller'], [], {
        'Time (min)': 'entry',
        'time (min)': 'entry',
        'Time (max)': 'exit',
        'time (max)': 'exit',
        'x (count)': 'positions',
      }),
    ])
    .overrideByRegexp('/^speed/', [
      { id: 'unit', value: 'velocityms' },
      { id: 'decimals', value: 1 },
    ])
    .overrideByRegexp('/^(entry|exit)$/', [{ id: 'unit', value: 'dateTimeAsIso' }])
    .overrideByName('sensor', [{ id: 'links', value: [sensorLink('__value.raw').build()] }]);
}
