import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeExactLine, encodeLine } from './line-protocol.ts';
import { type ParsedLine, type ParsedPoint, parseLines } from './line-protocol-parse.ts';
import { Uint64 } from './point.ts';

const parse = (text: string, unitNs = 1n): ParsedLine[] => [...parseLines(text, { unitNs })];

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

  it.each<[string, RegExp]>([
    ['m', /no fields/],
    ['m,t f=1', /tag t has no value/],
    ['m,t= f=1', /value of tag t is empty/],
    ['m,t=1,t=2 f=1', /stands twice/],
    ['m f=', /no valid value/],
    ['m f=abc', /no valid value: abc/],
    ['m f=1e400', /no valid value/],
    ['m f=9223372036854775808i', /no valid value/],
    ['m f="open', /no closing quote/],
    ['m f=1 5.5', /bad timestamp/],
    ['m f=1 99999999999999999999', /bad timestamp/],
    ['m f=1 5 6', /after the timestamp/],
    [',t=1 f=1', /measurement is empty/],
  ])('refuses %s', (text, problem) => {
    expect(parse(text)).toEqual([{ line: 1, text, problem: expect.stringMatching(problem) }]);
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

  it('scales timestamps by their unit', () => {
    expect([...parseLines('m f=1 5', { unitNs: 1000n })]).toMatchObject([{ point: { timeNs: 5000n } }]);
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
