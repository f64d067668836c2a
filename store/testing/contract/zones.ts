import { type Fill, NS_PER_DAY, NS_PER_SECOND, parseTime } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { readingAt, type Subject } from './subject.ts';

const hourNs = 3600n * NS_PER_SECOND;

interface ZoneCase {
  timeZone: string;
  /** The change of the clocks, in the middle of the points. */
  at: string;
  everyHours: number;
  /** Starts of the windows in UTC, and how many of the ten-minute points each holds. */
  windows: [start: string, count: number][];
}

// As influxd 2.7.12 answers with tz() on the same points, but for the empty window that it shows in the
// middle of one that a change lengthened.
const cases: ZoneCase[] = [
  {
    timeZone: 'Europe/Berlin',
    at: '2024-10-27T01:00:00Z',
    everyHours: 24,
    windows: [
      ['2024-10-25T22:00:00Z', 126],
      ['2024-10-26T22:00:00Z', 150],
      ['2024-10-27T23:00:00Z', 12],
    ],
  },
  {
    timeZone: 'Europe/Berlin',
    at: '2024-03-31T01:00:00Z',
    everyHours: 24,
    windows: [
      ['2024-03-29T23:00:00Z', 132],
      ['2024-03-30T23:00:00Z', 138],
      ['2024-03-31T22:00:00Z', 18],
    ],
  },
  {
    timeZone: 'America/Havana',
    at: '2024-11-03T05:00:00Z',
    everyHours: 24,
    windows: [
      ['2024-11-02T04:00:00Z', 138],
      ['2024-11-03T04:00:00Z', 150],
    ],
  },
  {
    timeZone: 'Asia/Kathmandu',
    at: '2024-05-05T00:00:00Z',
    everyHours: 24,
    windows: [
      ['2024-05-03T18:15:00Z', 110],
      ['2024-05-04T18:15:00Z', 144],
      ['2024-05-05T18:15:00Z', 34],
    ],
  },
];

/** Windows in local time, across changes of the clocks. */
export function zoneContract(subject: Subject): void {
  describe('time zones', () => {
    test.each(cases)(
      '$everyHours h in $timeZone around $at',
      async ({ timeZone, at, everyHours, windows }) => {
        const atNs = parseTime(at)!;
        await subject.write(...tenMinutely(atNs, NS_PER_DAY));
        const everyNs = BigInt(everyHours) * hourNs;
        const range = { fromNs: atNs - NS_PER_DAY, toNs: atNs + NS_PER_DAY };
        for (const fill of ['none', 'null'] as Fill[]) {
          const found = await subject.windows({
            ...range,
            everyNs,
            timeZone,
            functions: ['count', 'last'],
            fill,
          });
          expect(found.map(({ timeNs, values }) => [timeNs, values.get('count')])).toEqual(
            windows.map(([start, count]) => [parseTime(start), count]),
          );
        }
      },
    );

    const shorter: [number, string, [hour: number, count: number][]][] = [
      // Hours of UTC relative to the change, when the clocks go back: one that is repeated has windows of its own…
      [1, '2024-10-27T01:00:00Z', [-4, -3, -2, -1, 0, 1, 2, 3].map((hour) => [hour, 6])],
      // …and a longer window goes on until the repeated hour has passed.
      [
        2,
        '2024-10-27T01:00:00Z',
        [
          [-5, 6],
          [-3, 12],
          [-1, 18],
          [2, 12],
        ],
      ],
      [
        3,
        '2024-10-27T01:00:00Z',
        [
          [-6, 6],
          [-3, 24],
          [1, 18],
        ],
      ],
      [1, '2024-03-31T01:00:00Z', [-4, -3, -2, -1, 0, 1, 2, 3].map((hour) => [hour, 6])],
      [
        2,
        '2024-03-31T01:00:00Z',
        [
          [-4, 12],
          [-2, 12],
          [0, 6],
          [1, 12],
          [3, 6],
        ],
      ],
      [
        3,
        '2024-03-31T01:00:00Z',
        [
          [-5, 12],
          [-2, 12],
          [0, 18],
          [3, 6],
        ],
      ],
    ];
    test.each(shorter)('%i h in Europe/Berlin around %s', async (hours, at, windows) => {
      const atNs = parseTime(at)!;
      await subject.write(...tenMinutely(atNs, NS_PER_DAY));
      const range = { fromNs: atNs - 4n * hourNs, toNs: atNs + 4n * hourNs };
      const found = await subject.windows({
        ...range,
        everyNs: BigInt(hours) * hourNs,
        timeZone: 'Europe/Berlin',
      });
      expect(
        found.map(({ timeNs, values }) => [Number(timeNs - atNs) / Number(hourNs), values.get('count')]),
      ).toEqual(windows);
    });

    test('an unknown one is refused', async () => {
      await expect(subject.windows({ timeZone: 'Mars/Olympus_Mons' })).rejects.toMatchObject({
        code: 'bad_request',
      });
    });
  });
}

function tenMinutely(atNs: bigint, reachNs: bigint) {
  const stepNs = 600n * NS_PER_SECOND;
  const count = Number((2n * reachNs) / stepNs);
  return Array.from({ length: count }, (_, index) => ({
    ...readingAt(0, 's', { x: index }),
    timeNs: atNs - reachNs + BigInt(index) * stepNs,
  }));
}
