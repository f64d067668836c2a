import { type Point, parseLines, type TimeUnitName, timeUnits } from '@tidemark/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ClockLimits } from './clock-limits.ts';
import { FieldPins } from './field-pins.ts';
import { PlainLines } from './plain-lines.ts';
import { decodePoints, encodeLines } from './spool/entry.ts';
import { recordKinds } from './spool/record.ts';

const nowNs = 1_700_000_000_000_000_000n;
const hourMs = 3_600_000;

function read(
  lines: string | Buffer,
  unit: TimeUnitName = 'ns',
  offClock = { behind: 0, ahead: 0 },
  pins = new FieldPins('coerce'),
) {
  const clockLimits = new ClockLimits({ maxFutureMs: 24 * hourMs, skewMs: hourMs, offClock });
  const submission = { source: 'line_protocol', topic: '/write', payload: Buffer.from(lines), unit } as const;
  return new PlainLines({ clockLimits, pins, maxFields: 3 }).read(submission, nowNs);
}

const name = fc.constantFrom('m', 'weather', 'a\\ b', 'é', 'x\\,y');
const value = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.integer().map((n) => `${n}i`),
  fc.nat().map((n) => `${n}u`),
  fc.boolean().map(String),
  fc.string({ unit: 'binary' }).map((text) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`),
);
const line = fc
  .record({
    measurement: name,
    tags: fc.uniqueArray(name, { maxLength: 3 }),
    fields: fc.uniqueArray(fc.tuple(name, value), { minLength: 1, maxLength: 3, selector: ([key]) => key }),
    time: fc.nat(1_600_000_000),
  })
  .map(
    ({ measurement, tags, fields, time }) =>
      `${measurement}${tags.map((tag) => `,${tag}=${time % 7}`).join('')} ` +
      `${fields.map(([key, text]) => `${key}=${text}`).join(',')} ${time + 1}`,
  );

it('reads, and takes from the log again, what the parser reads', () => {
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1 }),
      fc.constantFrom<TimeUnitName>('ns', 'us', 'ms', 's'),
      (lines, unit) => {
        const text = lines.join('\n');
        const expected = parseLines(text, { unit: timeUnits[unit] }).map(
          (item) => 'point' in item && item.point,
        );
        const points = expected.every((point) => point && point.timeNs! >= 1024n) ? expected : undefined;
        expect(read(text, unit)?.toArray()).toEqual(points);
        const logged = decodePoints(recordKinds.lines, Buffer.concat(encodeLines(Buffer.from(text), unit)));
        expect(logged?.toArray()).toEqual(expected);
      },
    ),
    { numRuns: 500 },
  );
});

it.each([
  ['a bad line', 'm f=1 1000000\nbad'],
  ['a line without a time', 'm f=1'],
  ['a reading, which has its place', 'readings,sensor=a f=1 1000000'],
  ['a measurement of our own', 'alerts f=1 1000000'],
  ['too many fields', 'm a=1,b=2,c=3,d=4 1000000'],
  ['a time before 1970', 'm f=1 -1'],
  ['a time too far ahead', `m f=1 ${nowNs + 25n * 3_600_000_000_000n}`],
  ['what is no UTF-8', Buffer.from('6d20663d22ff22203130303030303030', 'hex')],
])('leaves %s to the parser, and counts nothing', (_, lines) => {
  const offClock = { behind: 0, ahead: 0 };
  expect(read(lines, 'ns', offClock)).toBeUndefined();
  expect(offClock).toEqual({ behind: 0, ahead: 0 });
});

it('leaves a value of another type than its field has to the parser, and then pins nothing', () => {
  const pins = new FieldPins('quarantine');
  const offClock = { behind: 0, ahead: 0 };
  const of = (lines: string) => read(lines, 'ns', offClock, pins)?.length;
  expect(of('m,t=a f=1 1000000\nm,t=b f="x" 1000001')).toBeUndefined();
  expect(pins.typeOf('m', 'f')).toBeUndefined();
  expect(of('m,t=a f=1 1000000\nm,t=b f=2,g=1i 1000001\nn f="x" 1000001')).toBe(3);
  expect(['f', 'g'].map((field) => pins.typeOf('m', field))).toEqual(['float', 'integer']);
  expect(of('m,t=c g=1 1000000')).toBeUndefined();
  expect(of('m,t=c g=1i,f=5 1000000')).toBe(1);
  expect(of('m,t=c g=1i,f=true 1000000')).toBeUndefined();
});

it('counts times that are far off the clock', () => {
  const offClock = { behind: 0, ahead: 0 };
  const times: Point['timeNs'][] = [-7200n, -10n, 0n, 10n, 7200n, 8000n].map(
    (s) => nowNs + s * 1_000_000_000n,
  );
  expect(read(times.map((time) => `m f=1 ${time}`).join('\n'), 'ns', offClock)?.length).toBe(6);
  expect(offClock).toEqual({ behind: 1, ahead: 2 });
});
