import { encodeLine, type Point } from '@tidemark/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findInfluxd, type Influxd, startInfluxd } from '../../testing/influxd.ts';
import { requireTool } from '../../testing/require-tool.ts';
import { Connection } from './connection.ts';
import { quoteName, quoteText } from './influxql.ts';
import { decodeName, encodeName, encodeNames, pointProblem } from './names.ts';

// What line protocol and InfluxQL give a meaning to, and some that they do not.
const alphabet = ['\\', ',', '=', ' ', '"', "'", '.', '#', ';', '$', '/', '\t', 'n', 'a', 'é', '🚲'];
const name = fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength: 8 });

describe('encodeName', () => {
  test('leaves names alone that line protocol can carry', () => {
    for (const plain of ['temperature', 'a b', 'C:\\temp', 'a,b=c', 'x.y', '\\\\x']) {
      expect(encodeName(plain)).toBe(plain);
    }
  });

  test('is undone by decodeName', () => {
    fc.assert(fc.property(name, (text) => decodeName(encodeName(text)) === text));
  });

  test('leaves no backslash that would escape what follows', () => {
    fc.assert(fc.property(name, (text) => !/\\[,= "]|\\$/.test(encodeName(text))));
  });
});

describe('pointProblem', () => {
  const point: Point = { measurement: 'm', tags: [['k', 'v']], fields: [['f', 1]], timeNs: 1n };
  const cases: [string, Partial<Point>][] = [
    ['a measurement that is a comment', { measurement: '#m' }],
    ['a measurement of two lines', { measurement: 'm\nn' }],
    ['an empty measurement', { measurement: '' }],
    ['no field', { fields: [] }],
    [
      'a field named time',
      {
        fields: [
          ['time', 1],
          ['f', 1],
        ],
      },
    ],
    ['a field of two lines', { fields: [['f\rg', 1]] }],
    ['a tag of two lines', { tags: [['k', 'v\nw']] }],
    ['an empty tag', { tags: [['k', '']] }],
  ];
  test.each(cases)('finds %s', (_name, part) => {
    expect(pointProblem({ ...point, ...part })).toBeTypeOf('string');
  });

  test('finds nothing wrong with text of several lines', () => {
    expect(pointProblem({ ...point, fields: [['f', 'two\nlines']] })).toBeUndefined();
  });
});

const binary = findInfluxd();

describe.skipIf(!requireTool('influxd', binary))('with influxd', { timeout: 60_000 }, () => {
  let influxd: Influxd | undefined;
  let connection: Connection | undefined;

  beforeAll(async () => {
    influxd = await startInfluxd(binary!);
    connection = new Connection({ ...influxd, timeoutMs: 30_000 });
  }, 60_000);
  afterAll(async () => influxd?.stop());

  test('any names and texts go through line protocol and InfluxQL and back', async () => {
    const points = fc
      .sample(fc.tuple(name, name, name, name, fc.string({ unit: fc.constantFrom(...alphabet, '\n') })), 400)
      .map(
        ([measurement, key, tag, field, text], index): Point => ({
          // The numbers keep measurements apart, and none a comment; a tag may not be named as a field is.
          measurement: `${index}${measurement}`,
          tags: [[`t${key}`, tag]],
          fields: [[`f${field}`, text]],
          timeNs: BigInt(index),
        }),
      );
    expect(await connection!.write(points.map((point) => encodeLine(encodeNames(point))).join('\n'))).toBe(
      undefined,
    );
    const statements = points.map(
      ({ measurement, tags: [[key, value] = ['', '']], fields: [[field] = ['']] }) => {
        const tag = quoteName(encodeName(key));
        const where = `WHERE ${tag}::tag = ${quoteText(encodeName(value))}`;
        return `SELECT ${quoteName(encodeName(field))}::string, ${tag}::tag FROM ${quoteName(encodeName(measurement))} ${where}`;
      },
    );
    const answers = await connection!.query(statements, 1000);
    points.forEach((point, index) => {
      const [series] = answers[index]!;
      expect(decodeName(series?.name ?? ''), JSON.stringify(point.measurement)).toBe(point.measurement);
      const [row] = series!.values;
      expect(row?.[1], JSON.stringify(point.measurement)).toBe(point.fields[0]![1]);
      expect(decodeName(String(row?.[2]))).toBe(point.tags[0]![1]);
    });
    const [keys] = await connection!.query(['SHOW FIELD KEYS'], 1000);
    const shownFields = keys!.map(
      (series) => `${decodeName(series.name)} ${decodeName(String(series.values[0]?.[0]))}`,
    );
    expect(shownFields.sort()).toEqual(
      points.map(({ measurement, fields }) => `${measurement} ${fields[0]![0]}`).sort(),
    );
  });

  test('a text cannot end its literal and become a query', async () => {
    await connection!.write('safe,sensor=a v=1 1');
    const attempts = [
      "'; DROP MEASUREMENT safe; --",
      "\\'; DROP MEASUREMENT safe; --",
      "a' OR 'a'='a",
      "a\\' OR 'a'='a",
      "a\n'; DROP MEASUREMENT safe; --",
    ];
    for (const attempt of attempts) {
      const [answer] = await connection!.query(
        [`SELECT v FROM safe WHERE "sensor"::tag = ${quoteText(attempt)}`],
        10,
      );
      expect(answer, attempt).toEqual([]);
      const [other] = await connection!.query([`SELECT ${quoteName(attempt)}::float FROM safe`], 10);
      expect(other, attempt).toEqual([]);
    }
    const [kept] = await connection!.query(['SELECT v FROM safe'], 10);
    expect(kept?.[0]?.values).toEqual([[1, 1]]);
  });
});
