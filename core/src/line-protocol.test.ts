import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type TimeUnitName, timeUnits } from './line-numbers.ts';
import { encodeExactLine, encodeLine } from './line-protocol.ts';
import { type ParsedLine, type ParsedPoint, parseLines } from './line-protocol-parse.ts';
import { LineScanner } from './line-scanner.ts';
import { Uint64 } from './point.ts';

const parse = (text: string, unit: TimeUnitName = 'ns'): ParsedLine[] =>
  parseLines(text, { unit: timeUnits[unit] });

function pointOf(text: string): ParsedPoint {
  const [line] = parse(text);
  if (!line || !('point' in line)) throw new Error(`no point in ${text}: ${JSON.stringify(line)}`);
  return line.point;
}

describe('parseLines', () => {
  it.each<[string, Partial<ParsedPoint>]>([
    ['m f=1 5', { measurement: 'm', tags: [], fields: [['f', 1]], timeNs: 5n }],
    [
      'm,b=2,a=1 f=1',
      {
        tags: [
          ['a', '1'],
          ['b', '2'],
        ],
        timeNs: undefined,
      },
    ],
    ['a\\,b\\ c,t\\=1=x\\,y f=1 5', { measurement: 'a,b c', tags: [['t=1', 'x,y']] }],
    [
      'm f="a \\"b\\" \\\\ \n c",g=t 5',
      {
        fields: [
          ['f', 'a "b" \\ \n c'],
          ['g', true],
        ],
      },
    ],
    [
      'm i=-9223372036854775808i,u=18446744073709551615u 5',
      {
        fields: [
          ['i', -(2n ** 63n)],
          ['u', new Uint64(2n ** 64n - 1n)],
        ],
      },
    ],
    [
      'm f=-1.5e-3,g=.5,h=1.,f=2 5',
      {
        fields: [
          ['f', 2],
          ['g', 0.5],
          ['h', 1],
        ],
      },
    ],
    ['m\\x,t=a\\b f=1 5', { measurement: 'm\\x', tags: [['t', 'a\\b']] }],
    ['m f=1 -5\r', { timeNs: -5n }],
  ])('%s', (text, expected) => {
    expect(pointOf(text)).toMatchObject(expected);
  });

  // What influxd 2.7.12 says of each.
  it.each<[string, string]>([
    ['m', 'missing fields'],
    ['m,t=1', 'missing fields'],
    ['m ', 'invalid field format'],
    ['m,', 'missing tag key'],
    ['m,t f=1', 'missing tag value'],
    ['m,t= f=1', 'missing tag value'],
    ['m,t=1=2 f=1', 'invalid tag format'],
    ['m,t=1,t=2 f=1', 'duplicate tags'],
    ['m,time=1 f=1', 'cannot use reserved tag key "time"'],
    [',t=1 f=1', 'missing measurement'],
    ['m f', 'invalid field format'],
    ['m =1', 'missing field key'],
    ['m f=', 'missing field value'],
    ['m f=1,', 'invalid field format'],
    ['m f=abc', 'invalid boolean'],
    ['m f=+1', 'invalid boolean'],
    ['m f=1x', 'invalid number'],
    ['m f=NaN', 'invalid number'],
    ['m f=1.5i', 'invalid number'],
    ['m f=.', 'invalid number'],
    ['m f=1e400', 'invalid float'],
    ['m f=1e', 'invalid float'],
    [
      'm f=9223372036854775808i',
      'unable to parse integer 9223372036854775808: strconv.ParseInt: parsing "9223372036854775808": value out of range',
    ],
    [
      'm f=18446744073709551616u',
      'unable to parse unsigned 18446744073709551616: strconv.ParseUint: parsing "18446744073709551616": value out of range',
    ],
    ['m f="open', 'unbalanced quotes'],
    ['m f=1 5.5', 'bad timestamp'],
    ['m f=1 +5', 'bad timestamp'],
    ['m f=1 9223372036854775808', 'strconv.ParseInt: parsing "9223372036854775808": value out of range'],
    ['m f=1 9223372036854775807', 'time outside range -9223372036854775806 - 9223372036854775806'],
    ['m f=1 5 6', 'point is invalid'],
  ])('refuses %s', (text, problem) => {
    expect(parse(text)).toEqual([{ line: 1, start: 0, end: text.length, problem }]);
  });

  it('goes on after a bad line, counting lines and passing comments over', () => {
    const lines = parse('# comment\nm f=1 1\r\n\nbad line\nm f="x\ny" 2\nm f=3 3');
    expect(lines.map((line) => [line.line, 'point' in line])).toEqual([
      [2, true],
      [4, false],
      [5, true],
      [7, true],
    ]);
  });

  it.each<[TimeUnitName, bigint]>([
    ['ns', 1n],
    ['us', 1000n],
    ['ms', 1_000_000n],
    ['s', 1_000_000_000n],
    ['m', 60_000_000_000n],
    ['h', 3_600_000_000_000n],
  ])('reads any timestamp in %s exactly', (unit, unitNs) => {
    const most = (2n ** 63n - 2n) / unitNs;
    fc.assert(
      fc.property(fc.bigInt(-most, most), (time) => {
        expect(parse(`m f=1 ${time}`, unit)).toMatchObject([{ point: { timeNs: time * unitNs } }]);
      }),
      {
        numRuns: 500,
        examples: [most, -most, 0n, 4n, -1n].map((time): [bigint] => [time]),
      },
    );
    expect(parse(`m f=1 ${most + 2n}`, unit)).toMatchObject([{ problem: expect.stringMatching(/range/) }]);
  });

  it('reads any float exactly', () => {
    const float = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.tuple(fc.maxSafeInteger(), fc.nat(9)).map(([digits, decimals]) => `${digits}.${decimals}`),
      fc.integer().map((n) => String(n / 1000)),
    );
    fc.assert(
      fc.property(float, (text) => {
        const [, value] = pointOf(`m f=${text} 1`).fields[0]!;
        expect(Object.is(value, Number(text))).toBe(true);
      }),
      { numRuns: 2000, examples: [['-0'], ['5.'], ['.5'], ['-.5'], ['1e5'], ['123456789012345678']] },
    );
  });

  it('keeps series and fields apart whatever their order, and takes them again', () => {
    const text = 'm,a=1 x=1,y=2 1\nm,a=2 y=3 2\nm,a=1 y=4,x=5i 3\nm,a=1 z="q",x=6 4';
    for (let round = 0; round < 2; round++) {
      expect(
        parse(text).map((line) => 'point' in line && [line.point.tags[0]![1], line.point.fields]),
      ).toEqual([
        [
          '1',
          [
            ['x', 1],
            ['y', 2],
          ],
        ],
        ['2', [['y', 3]]],
        [
          '1',
          [
            ['y', 4],
            ['x', 5n],
          ],
        ],
        [
          '1',
          [
            ['z', 'q'],
            ['x', 6],
          ],
        ],
      ]);
    }
  });

  it('takes the last value of a field that stands twice, also among more fields than it knows', () => {
    const fields = Array.from({ length: 300 }, (_, n) => `f${n}=${n}`).join(',');
    const { fields: read } = pointOf(`m ${fields},f299=1,f0=2i,f\\299="x" 1`);
    expect(read).toHaveLength(301);
    expect([read[0], read[299]]).toEqual([
      ['f0', 2n],
      ['f299', 1],
    ]);
  });

  it('knows no more series than it may, and reads the rest anew', () => {
    const scanner = new LineScanner(10);
    scanner.reset(Buffer.from(Array.from({ length: 100 }, (_, n) => `m,a=${n % 37} f=${n}`).join('\n')));
    for (let n = 0; n < 100; n++) {
      scanner.scanLine();
      expect([scanner.series.tags, scanner.floats[0]]).toEqual([[['a', String(n % 37)]], n]);
    }
  });

  it('refuses the one line that is no UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('m f="'), Buffer.from([0xff]), Buffer.from('" 1\nm f=1 2')]);
    expect(parseLines(bytes)).toMatchObject([
      { line: 1, problem: undefined },
      { line: 2, point: { timeNs: 2n } },
    ]);
  });
});

const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
const value = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  fc.bigInt(0n, 2n ** 64n - 1n).map((n) => new Uint64(n)),
  fc.boolean(),
  fc.string({ unit: 'binary' }),
);
const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1);
const point = fc.record({
  measurement: name,
  tags: fc
    .uniqueArray(fc.tuple(name, name), { selector: ([key]) => key, maxLength: 4 })
    .map((tags) => tags.sort(byKey)),
  fields: fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, minLength: 1, maxLength: 4 }),
  timeNs: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
});

describe('encoding', () => {
  it('any point survives encodeExactLine and back', () => {
    fc.assert(
      fc.property(fc.array(point, { maxLength: 3 }), (points) => {
        const text = points.map((item) => encodeExactLine(item)).join('\n');
        const parsed = [...parseLines(text, { escapes: 'all' })];
        expect(parsed.map((line) => ('point' in line ? line.point : line))).toEqual(points);
      }),
      { numRuns: 500 },
    );
  });

  it('writes what InfluxDB reads', () => {
    const tags = [['t,a g', 'v=x']] as const;
    const text = encodeLine({
      measurement: 'm =,',
      tags,
      fields: [
        ['f 1', 'a"\\'],
        ['g', -0],
        ['h', 7n],
      ],
      timeNs: 1n,
    });
    expect(text).toBe('m\\ =\\,,t\\,a\\ g=v\\=x f\\ 1="a\\"\\\\",g=-0,h=7i 1');
  });
});

it('a series that is expected next is taken for another one neither in part nor with a space that is escaped', () => {
  const scanner = new LineScanner();
  const lines = [
    'a,t=1 f=1 1',
    'b,t=1 f=1 1',
    'a,t=1 f=1 1',
    'b,t=12 f=1 1',
    'a,t=1 f=1 1',
    'b,t=1\\ x f=1 1',
    'm\\ n f=1 1',
  ];
  scanner.reset(Buffer.from([...lines, 'a,t=1 f=1 1', 'b,t=1', 'm\\', 'm\\ n f=1 1'].join('\n')));
  const seen: string[] = [];
  while (!scanner.atEnd()) {
    try {
      scanner.scanLine();
      const { measurement, tags } = scanner.series;
      seen.push([measurement, ...tags.flat()].join(' '));
    } catch {
      seen.push('bad');
      scanner.skipLine();
    }
  }
  expect(seen).toEqual([
    'a t 1',
    'b t 1',
    'a t 1',
    'b t 12',
    'a t 1',
    'b t 1 x',
    'm n',
    'a t 1',
    'bad',
    'bad',
    'm n',
  ]);
});

const oneOf = (...texts: string[]) => fc.constantFrom(...texts);
const digits = fc.bigInt(0n, 10n ** 19n - 1n).map((n) => String(n).padStart(19, '0'));
const spoilt = fc
  .tuple(digits, fc.nat(18), fc.constantFrom(...'/:; -.x\0\xf0'))
  .map(([text, at, junk]) => text.slice(0, at) + junk + text.slice(at + 1));
const nearlyLine = oneOf('m,t=1,a=1 1690000000000000000', 'm,t=1 a 1 1690000000000000000', 'm,t=1 a=1,');
const usualLine = fc
  .tuple(
    oneOf('m', 'm,t=1', 'm,t=12', 'm,t=longer_than_a_word', 'n,t=1', 'm\\ ', ' m', '#m'),
    fc
      .array(
        fc.tuple(
          oneOf('a', 'b', 'abcde', 'a\\,', 'time', 'a'),
          oneOf('1', '-2.5', '.5', '5.', '1e3', '7i', 't', '"x y"', '1234567890123456', '-', '', '1-2'),
        ),
        { minLength: 1, maxLength: 3 },
      )
      .map((fields) => fields.map((field) => field.join('=')).join(',')),
    fc.oneof(
      digits,
      spoilt,
      oneOf('', '1', '-1', '1690000000', '99999999999999999999', '9223372036854775807'),
    ),
    oneOf('', '\r', ' ', '\t'),
  )
  .map(([series, fields, time, end]) => `${series} ${fields} ${time}${end}`);

it('a field that stands twice is one field, also where the fields of another series were expected', () => {
  const scanner = new LineScanner();
  const twice = 'm,t=2 a=1,b=2,b=3 1';
  scanner.reset(Buffer.from(['m,t=1 a=1,b=2 1', twice, 'm,t=1 a=1,b=2 1', twice, twice].join('\n')));
  const counts: number[] = [];
  while (scanner.scanLine()) counts.push(scanner.fieldCount);
  expect(counts).toEqual([2, 2, 2, 2, 2]);
});

it.each(['ns', 's'] as const)('a line is read the same whatever came before it, in %s', (unit) => {
  const read = (scanner: LineScanner) => {
    try {
      if (!scanner.scanLine()) return undefined;
    } catch (error) {
      scanner.skipLine();
      return (error as Error).message;
    }
    const { series, fieldCount, fields, floats, others, hasTime, timeNs } = scanner;
    const values = Array.from({ length: fieldCount }, (_, at) => [
      fields[at]!.name,
      others.get(at) ?? floats[at],
    ]);
    return [series.measurement, series.tags, values, hasTime && timeNs];
  };
  fc.assert(
    fc.property(
      fc.array(fc.oneof(nearlyLine, { weight: 5, arbitrary: usualLine }), { minLength: 1, maxLength: 5 }),
      (lines) => {
        const options = { unit: timeUnits[unit] };
        const used = new LineScanner();
        // Behind the second time each series is expected, with the fields that it has.
        const bytes = Buffer.from([lines, lines, lines].flat().join('\n'), 'latin1');
        used.reset(bytes, options);
        const found = Array.from({ length: 3 * lines.length }, () => [read(used), used.line]);
        expect(used.atEnd()).toBe(true);
        const alone = lines.map((line) => {
          const fresh = new LineScanner();
          fresh.reset(Buffer.from(line, 'latin1'), options);
          return read(fresh);
        });
        expect(found).toEqual([alone, alone, alone].flat().map((result, index) => [result, index + 2]));
      },
    ),
    { numRuns: 2000 },
  );
});
