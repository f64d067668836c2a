import { newDashboard } from '../dashboard.ts';
import { sensorLink } from '../links.ts';
import { bars, columns, lines, rows, stackedBars } from '../panels.ts';
import { influx, math } from '../targets.ts';
import { storeVariable } from '../variables.ts';

const nothingFailed = 'Nothing in this time. docs/data-quality.md says what is checked';
const nothingRefused = 'Nothing was refused in this time. docs/quarantine.md says what is';

/** What was refused, which checks failed, and what came late or twice. */
export function dataQuality() {
  return newDashboard({
    name: 'data-quality',
    description:
      'What was refused and why, which checks failed for which sensors, and what came late or twice.',
    from: 'now-24h',
    refresh: '1m',
  })
    .withVariable(storeVariable())
    .withPanel(
      stackedBars({
        title: 'Quarantine by reason',
        description: 'Messages, or parts of them, that were refused and wait in the quarantine, by reason.',
        unit: 'short',
        noValue: nothingRefused,
        more: 'platform',
        targets: [
          influx(
            'SELECT sum("count") FROM "quarantine" WHERE $timeFilter GROUP BY time($__interval), "reason" fill(0)',
            { alias: '$tag_reason' },
          ),
        ],
        width: 12,
        height: 9,
      }).interval('1m'),
    )
    .withPanel(
      rows({
        title: 'Quarantine by source and reason',
        description: 'How much was refused in this time, by the way it came and the reason.',
        unit: 'short',
        noValue: nothingRefused,
        more: 'platform',
        targets: [
          influx(
            'SELECT sum("count") AS "refused" FROM "quarantine" WHERE $timeFilter GROUP BY "source", "reason"',
            { isTable: true },
          ),
        ],
        width: 12,
        height: 9,
      }).transformations([columns(['source', 'reason', 'refused'], ['Time', 'time'])]),
    )
    .withPanel(
      stackedBars({
        title: 'Failed checks',
        description: 'Readings, and silences, that failed a check; they are stored all the same.',
        unit: 'short',
        noValue: nothingFailed,
        more: 'fleet',
        targets: [
          influx(
            `SELECT sum("count") FROM "quality" WHERE $timeFilter AND "check" != 'refused' GROUP BY time($__interval), "check" fill(0)`,
            { alias: '$tag_check' },
          ),
        ],
        width: 12,
        height: 9,
      }).interval('1m'),
    )
    .withPanel(
      rows({
        title: 'Sensors and checks',
        description:
          'How often each sensor failed which check in this time; `refused` is what went to the quarantine. A click opens the sensor.',
        unit: 'short',
        noValue: nothingFailed,
        more: 'sensor',
        targets: [
          influx(
            'SELECT sum("count") AS "failures" FROM "quality" WHERE $timeFilter GROUP BY "sensor", "check"',
            { isTable: true },
          ),
        ],
        width: 12,
        height: 9,
      })
        .transformations([columns(['sensor', 'check', 'failures'], ['Time', 'time'])])
        .overrideByName('sensor', [{ id: 'links', value: [sensorLink('__value.raw').build()] }]),
    )
    .withPanel(
      bars({
        title: 'Quarantine by sensor',
        description: 'Refused parts that name a registered sensor, by sensor.',
        unit: 'short',
        noValue: nothingRefused,
        more: 'sensor',
        targets: [
          influx(
            `SELECT sum("count") FROM "quality" WHERE $timeFilter AND "check" = 'refused' GROUP BY "sensor"`,
            { alias: '$tag_sensor' },
          ),
        ],
        width: 12,
        height: 9,
      }),
    )
    .withPanel(shares());
}

function shares() {
  const failed = (check: string, refId: string) =>
    influx(
      `SELECT sum("count") FROM "quality" WHERE $timeFilter AND "check" = '${check}' GROUP BY time($__interval) fill(0)`,
      { refId, alias: check, isHidden: true },
    );
  return lines({
    title: 'Late and duplicate shares',
    description: 'Which share of the accepted readings came late, or had been told before.',
    unit: 'percentunit',
    noValue: nothingFailed,
    more: 'platform',
    targets: [
      failed('late', 'A'),
      failed('duplicate', 'B'),
      influx(
        'SELECT sum("readings") FROM "location_state" WHERE $timeFilter AND "readings" > 0 GROUP BY time($__interval) fill(none)',
        { refId: 'C', alias: 'readings', isHidden: true },
      ),
      math('$A / $C', 'late'),
      math('$B / $C', 'duplicate'),
    ],
    width: 12,
    height: 9,
  })
    .interval('1m')
    .min(0);
}
