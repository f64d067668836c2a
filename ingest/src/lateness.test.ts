import { encodeSeriesKey, type Point, READINGS, readingToPoint } from '@tidemark/core';
import { expect, it } from 'vitest';
import { Lateness } from './lateness.ts';
import { encodePoints } from './spool/entry.ts';
import { recordKinds } from './spool/record.ts';

const nowNs = 1_000_000_000_000n;
const secondNs = 1_000_000_000n;

/** Takes readings of one sensor in, by their age in seconds; returns which came late. */
function lateOnes(lateness: Lateness, agesSeconds: readonly number[], sensor = 's', atNs = nowNs): boolean[] {
  return agesSeconds.map((age) =>
    lateness.isLate(lateness.watermarkOf(sensor), atNs - BigInt(age) * secondNs, atNs),
  );
}

const lateness = () => new Lateness({ allowedMs: 60_000 });

it('late is behind the newest of the sensor by more than what is allowed', () => {
  expect(lateOnes(lateness(), [100, 50, 110, 111, 10, 70, 71])).toEqual([
    false,
    false,
    false,
    true,
    false,
    false,
    true,
  ]);
});

it('each sensor has a watermark of its own', () => {
  const both = lateness();
  lateOnes(both, [0], 'fast');
  expect(lateOnes(both, [500, 440, 501], 'slow')).toEqual([false, false, true]);
});

it('a reading from the future makes nothing late that is of now', () => {
  const ahead = lateness();
  expect(lateOnes(ahead, [-3600, 0, 59, 61])).toEqual([false, false, false, true]);
});

it('when the clock was set back, what follows it is not late', () => {
  const setBack = lateness();
  lateOnes(setBack, [0]);
  const earlierNs = nowNs - 500n * secondNs;
  expect(lateOnes(setBack, [0, 61], 's', earlierNs)).toEqual([false, true]);
});

it.each([
  ['s', 'hall'],
  ['Wetter, "Süd" \\', undefined],
  ['sensor=s', 'a b'],
])('what the log says of sensor %s stands after a restart; late points move nothing', (sensor, location) => {
  const recalled = lateness();
  const record = (kind: number, ageSeconds: number) => {
    const timeNs = nowNs - BigInt(ageSeconds) * secondNs;
    const values = [
      ['t', 1],
      ['text', 'two\nlines, one with a space 5'],
    ] as const;
    const point = readingToPoint({
      sensor,
      location,
      timeNs,
      values: ageSeconds === 100 ? values : values.slice(0, 1),
    });
    const text = encodePoints([point], ({ measurement, tags }) => encodeSeriesKey(measurement, tags));
    return { kind, acceptedNs: nowNs, payload: Buffer.from(text) };
  };
  recalled.recall(record(recordKinds.points, 100));
  recalled.recall(record(recordKinds.points, 120));
  recalled.recall(record(recordKinds.latePoints, 10));
  recalled.recall({ kind: recordKinds.refusal, acceptedNs: nowNs, payload: Buffer.from('{}') });
  expect(lateOnes(recalled, [160, 161], sensor)).toEqual([false, true]);
});

it('a record of many points tells of each of its readings, and of nothing else', () => {
  const at = (ageSeconds: number) => ({
    fields: [['value', 1]] as const,
    timeNs: nowNs - BigInt(ageSeconds) * secondNs,
  });
  const points: Point[] = [
    { measurement: READINGS, tags: [['sensor', 'first']], ...at(300) },
    {
      measurement: READINGS,
      tags: [
        ['location', 'hall'],
        ['sensor', 'second'],
        ['unit', 'K'],
      ],
      ...at(200),
    },
    { measurement: 'readings2', tags: [['sensor', 'first']], ...at(0) },
    { measurement: 'weather', tags: [['sensor', 'second']], ...at(0) },
    { measurement: READINGS, tags: [['unit', 'K']], ...at(0) },
    { measurement: READINGS, tags: [['sensor', 'first']], ...at(100) },
  ];
  const text = encodePoints(points, ({ measurement, tags }) => encodeSeriesKey(measurement, tags));
  const recalled = lateness();
  recalled.recall({ kind: recordKinds.points, acceptedNs: nowNs, payload: Buffer.from(text) });
  expect(lateOnes(recalled, [160, 161], 'first')).toEqual([false, true]);
  expect(lateOnes(recalled, [260, 261], 'second')).toEqual([false, true]);
});
