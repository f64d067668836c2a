import { type FieldValue, fieldTypeOf, type Point, type Tag, timeUnits, Uint64 } from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wholeLines } from '../body/whole-lines.ts';
import { readCsvRows } from './csv-rows.ts';
import { CsvText, csvHeader } from './csv-text.ts';
import { LineText, readLineRows } from './line-text.ts';
import { textOf } from './text.ts';

const maxRowBytes = 1024 * 1024;

/** Names that are awkward to write, and any others without control characters. */
const name = fc.oneof(
  fc.constantFrom(
    'a',
    'a b',
    ' pad ',
    'a,b',
    'a=b',
    'a"b',
    'a\\b',
    'end\\',
    'a\\,b',
    'a\\=b',
    'a\\\\',
    '#c',
    '\\',
  ),
  fc.constantFrom(
    '__proto__',
    '7',
    'sensor',
    'location',
    'time',
    '_field',
    '#tidemark {',
    '="',
    '温度 🌡️',
    "it's",
  ),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => !/\p{Cc}|\p{Cs}/u.test(text)),
);
const text = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '\n',
    '\r\n',
    '"',
    '\\',
    'a,b',
    'two\nlines',
    '\n#tidemark {}\n',
    '="',
    'null',
    '1i',
    '\t',
  ),
  fc.string({ unit: 'grapheme', maxLength: 30 }).filter((one) => !/\p{Cs}/u.test(one)),
);
const value: fc.Arbitrary<FieldValue> = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(-0, 5e-324, 1.7976931348623157e308, 1e21, 2 ** 53 + 2),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  fc.bigInt(0n, 2n ** 64n - 1n).map((whole) => new Uint64(whole)),
  fc.boolean(),
  text,
);
const tags = fc.uniqueArray(fc.tuple(name, name), { selector: ([key]) => key, maxLength: 4 });
const fields = fc.uniqueArray(fc.tuple(name, value), {
  selector: ([key]) => key,
  minLength: 1,
  maxLength: 3,
});
const point: fc.Arbitrary<Point> = fc
  .record({ measurement: name, tags, fields, timeNs: fc.bigInt(0n, 2n ** 63n - 2n) })
  .map((one) => ({ ...one, tags: [...one.tags].sort(byKey) }));
const points = fc.array(point, { minLength: 1, maxLength: 20 });

describe('what is exported is imported as the same points', () => {
  it('as CSV', async () => {
    await fc.assert(
      fc.asyncProperty(points, fc.integer({ min: 1, max: 100 }), async (written, chunkBytes) => {
        const file = await bytesOf(textOf(pagesOf(written), new CsvText(), csvHeader));
        const rows = [];
        for await (const batch of readCsvRows(chunksOf(file, chunkBytes), { maxRows: 7, maxRowBytes }))
          rows.push(...batch);
        expect(rows.flatMap(shownRow)).toEqual(written.flatMap(shown));
        expect(rows.map(({ index }) => index)).toEqual(rows.map((_, index) => index));
      }),
      { numRuns: 300, interruptAfterTimeLimit: 20_000 },
    );
  });

  it('as line protocol', async () => {
    await fc.assert(
      fc.asyncProperty(points, fc.integer({ min: 1, max: 100 }), async (written, chunkBytes) => {
        const file = await bytesOf(textOf(pagesOf(written), new LineText()));
        const rows: unknown[] = [];
        for await (const part of wholeLines(chunksOf(file, chunkBytes), 64))
          rows.push(...readLineRows(part, { unit: timeUnits.ns, firstLine: 1 }).flatMap(shownRow));
        expect(rows.sort()).toEqual(written.flatMap(shown).sort());
      }),
      { numRuns: 300, interruptAfterTimeLimit: 20_000 },
    );
  });
});

describe('a CSV file', () => {
  const header = 'time,measurement,field,type,value\n';
  const read = async (file: string) => {
    const rows = [];
    const limits = { maxRows: 100, maxRowBytes: 10_000 };
    for await (const batch of readCsvRows(chunksOf(Buffer.from(file), 50), limits)) rows.push(...batch);
    return rows;
  };

  it.each([
    ['2026-05-01T12:00:00Z,m,f,float,x', 'wrong_type'],
    ['2026-05-01T12:00:00Z,m,f,float,', 'missing_value'],
    ['2026-05-01T12:00:00Z,m,f,float,1e999', 'not_finite'],
    ['2026-05-01T12:00:00Z,m,f,integer,1.5', 'wrong_type'],
    ['2026-05-01T12:00:00Z,m,f,integer,9223372036854775808', 'wrong_type'],
    ['2026-05-01T12:00:00Z,m,f,unsigned,-1', 'wrong_type'],
    ['2026-05-01T12:00:00Z,m,f,boolean,yes', 'wrong_type'],
    ['2026-05-01T12:00:00Z,m,f,number,1', 'wrong_type'],
    ['yesterday,m,f,float,1', 'bad_time'],
    ['2026-05-01T12:00:00Z,,f,float,1', 'bad_line'],
    ['2026-05-01T12:00:00Z,m,,float,1', 'bad_metric'],
    ['2026-05-01T12:00:00Z,m,f,float', 'bad_line'],
    ['2026-05-01T12:00:00Z,m,"f"x,float,1', 'bad_line'],
  ])('names what is wrong with the row %s', async (row, reason) => {
    const good = '2026-05-01T12:00:00Z,m,f,float,1\n';
    const rows = await read(`${header}${good}${row}\n${good}`);
    expect(rows).toHaveLength(3);
    expect(rows[1]).toMatchObject({ index: 1, reason, raw: expect.stringContaining(row) });
    expect(rows[2]).toMatchObject({ index: 2, point: { measurement: 'm' } });
  });

  it.each([
    '[]',
    '{"a"}',
    '{"a":1}',
    '{"a":"b",}',
    '{"a":""}',
    '{"":"b"}',
    '{"a":"b"',
    '{"\\x":"b"}',
    'null',
  ])('whose tags are %s refuses the row', async (tags) => {
    const rows = await read(
      `time,measurement,tags,field,type,value\n2026-05-01T12:00:00Z,m,"${tags.replaceAll('"', '""')}",f,float,1\n`,
    );
    expect(rows).toMatchObject([
      { reason: 'bad_line', detail: expect.stringContaining('tags is no JSON object') },
    ]);
  });

  it('may have spaces between its tags', async () => {
    const tags = '" { ""b"" : ""1"" , ""a"":""2""} "';
    const rows = await read(
      `time,measurement,tags,field,type,value\n2026-05-01T12:00:00Z,m,${tags},f,float,1\n`,
    );
    expect(rows).toMatchObject([
      {
        point: {
          tags: [
            ['a', '2'],
            ['b', '1'],
          ],
        },
      },
    ]);
  });

  it.each([
    ['', 'it is empty'],
    ['\n\n', 'it is empty'],
    ['time,measurement,field,type\n', 'value is missing'],
    ['time,measurement,field,type,value,more\n', 'column "more" is none of them'],
    ['time,time,measurement,field,type,value\n', 'a column is there twice'],
    ['PAR1\u0000\u0001', 'none of them'],
  ])('of another header is refused: %j', async (file, detail) => {
    await expect(read(file)).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining(detail),
    });
  });

  it('ends at a row that is longer than its limit, in memory of that limit', async () => {
    let given = 0;
    const endless = async function* () {
      yield Buffer.from(`${header}2026-05-01T12:00:00Z,m,f,string,`);
      for (; given < 1024; given++) yield Buffer.alloc(1024 * 1024, 'x');
    };
    const limits = { maxRows: 100, maxRowBytes: 2 * 1024 * 1024 };
    await expect(async () => {
      for await (const _ of readCsvRows(endless(), limits));
    }).rejects.toMatchObject({ code: 'payload_too_large' });
    expect(given).toBeLessThan(10);
  });
});

it('a line of 1 GB ends the reading at its limit', async () => {
  let given = 0;
  const endless = async function* () {
    for (; given < 1024; given++) yield Buffer.alloc(1024 * 1024, 'x');
  };
  await expect(async () => {
    for await (const _ of wholeLines(endless(), 256 * 1024, { maxLineBytes: 2 * 1024 * 1024 }));
  }).rejects.toMatchObject({ code: 'payload_too_large' });
  expect(given).toBeLessThan(10);
});

async function* pagesOf(written: readonly Point[]): AsyncGenerator<readonly Point[]> {
  for (let start = 0; start < written.length; start += 3) yield written.slice(start, start + 3);
}

async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

async function* chunksOf(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

function shownRow(row: object): string[] {
  return 'point' in row ? shown(row.point as Point) : [JSON.stringify(row)];
}

function shown({ measurement, tags: all, fields: values, timeNs }: Point): string[] {
  return values.map(([field, one]) => {
    const whole = one instanceof Uint64 ? one.value : one;
    const exact = Object.is(whole, -0) ? '-0' : String(whole);
    return JSON.stringify([measurement, all, field, fieldTypeOf(one), exact, String(timeNs)]);
  });
}

function byKey([one]: Tag, [other]: Tag): number {
  return one < other ? -1 : Number(one > other);
}
