import { describe, expect, it } from 'vitest';
import type { SelectStatement } from './ast.ts';
import { formatExpression } from './format.ts';
import { parseInfluxql } from './parse.ts';

function select(text: string): SelectStatement {
  const [statement] = parseInfluxql(text);
  if (statement?.kind !== 'select') throw new Error('no SELECT');
  return statement;
}

describe('parseInfluxql', () => {
  it('reads every clause of a SELECT', () => {
    const query = `SELECT mean("a field"::float) AS m FROM "db"."rp".cpu, /mem.*/ WHERE host = 'it\\'s' AND time > now() - 1h30m
      GROUP BY time(10m, -5m), host::tag, *, /re\\/gion/ fill(-1.5) ORDER BY time DESC LIMIT 3 OFFSET 2 SLIMIT 4 SOFFSET 1 tz('Europe/Berlin')`;
    expect(select(query)).toEqual({
      kind: 'select',
      fields: [
        {
          expression: {
            kind: 'call',
            name: 'mean',
            args: [{ kind: 'reference', name: 'a field', cast: 'float' }],
          },
          alias: 'm',
        },
      ],
      sources: [
        { kind: 'measurement', database: 'db', retentionPolicy: 'rp', name: 'cpu', regex: undefined },
        {
          kind: 'measurement',
          database: undefined,
          retentionPolicy: undefined,
          name: undefined,
          regex: 'mem.*',
        },
      ],
      where: expect.objectContaining({ kind: 'binary', operator: 'AND' }),
      groupBy: [
        {
          kind: 'call',
          name: 'time',
          args: [
            { kind: 'duration', ns: 600_000_000_000n },
            { kind: 'duration', ns: -300_000_000_000n },
          ],
        },
        { kind: 'tag', name: 'host' },
        { kind: 'wildcard' },
        { kind: 'regex', source: 're/gion' },
      ],
      fill: { kind: 'number', value: -1.5 },
      order: 'desc',
      isOrdered: true,
      limit: 3,
      offset: 2,
      seriesLimit: 4,
      seriesOffset: 1,
      timeZone: 'Europe/Berlin',
    });
  });

  it('reads quoted text and numbers as they are meant', () => {
    const { where } = select(`SELECT v FROM cpu WHERE s = 'it\\'s \\\\ \\n' AND i = 9223372036854775807`);
    expect(where).toMatchObject({
      left: { right: { kind: 'string', value: "it's \\ \n" } },
      right: { right: { kind: 'integer', value: 9_223_372_036_854_775_807n } },
    });
  });

  it.each([
    ['a + b * c', ['+', 'a', ['*', 'b', 'c']]],
    ['a - b - c', ['-', ['-', 'a', 'b'], 'c']],
    ['a OR b AND c = d', ['OR', 'a', ['AND', 'b', ['=', 'c', 'd']]]],
    ['(a OR b) AND c', ['AND', ['OR', 'a', 'b'], 'c']],
  ])('groups %s as InfluxDB does', (text, tree) => {
    const treeOf = (node: unknown): unknown => {
      const { kind, name, operator, left, right, inner } = node as Record<string, unknown>;
      if (kind === 'paren') return treeOf(inner);
      return kind === 'binary' ? [operator, treeOf(left), treeOf(right)] : name;
    };
    expect(treeOf(select(`SELECT v FROM cpu WHERE ${text}`).where)).toEqual(tree);
  });

  it('reads several statements, comments and empty ones', () => {
    const text = `SELECT v FROM cpu; -- a comment\n; /* another; */ SHOW TAG VALUES FROM cpu WITH KEY IN (host, "a b") LIMIT 5`;
    expect(parseInfluxql(text)).toMatchObject([
      { kind: 'select' },
      { kind: 'show', target: 'tag values', withKey: { operator: 'IN', keys: ['host', 'a b'] }, limit: 5 },
    ]);
    expect(parseInfluxql('')).toEqual([]);
  });

  it.each([
    ['south', "'south'"],
    ["it's \\ \n", "'it\\'s \\\\ \\n'"],
    ["' OR true", "'\\' OR true'"],
    [5, '5'],
    [-5, '-5'],
    [0.5, '0.5'],
    [1_700_000_000_000_000_001n, '1700000000000000001'],
    [true, 'true'],
    [{ regex: '^a/b' }, '/^a\\/b/'],
    [{ identifier: 'a b' }, '"a b"'],
    [{ duration: '1h30m' }, '1h30m'],
  ])('reads the parameter %o as the literal %s', (value, literal) => {
    const where = typeof value === 'object' && 'regex' in value ? 'v =~' : 'v =';
    const [bound] = parseInfluxql(`SELECT v FROM cpu WHERE ${where} $"the value"`, { 'the value': value });
    expect(bound).toEqual(select(`SELECT v FROM cpu WHERE ${where} ${literal}`));
  });

  it.each([
    ['$x', {}, 'missing parameter: x'],
    ['$toString', {}, 'missing parameter: toString'],
    ['$', { x: 1 }, 'empty bound parameter'],
    ['$x', { x: null }, 'unable to bind parameter x'],
    ['$x', { x: { duration: 'long' } }, 'unable to bind parameter x'],
    ['$x = $x', { x: 'long'.repeat(20_000) }, 'parameters are longer than 131072 characters'],
  ])('refuses WHERE v = %s with %o', (text, parameters, message) => {
    expect(() => parseInfluxql(`SELECT v FROM cpu WHERE v = ${text}`, parameters)).toThrow(message);
  });

  it.each<[regex: string, expected: string]>([
    ['/^a$/', "(t = 'a')"],
    ['/^(a|b)$/', "(t = 'a' OR t = 'b')"],
    [String.raw`/^(?:a\.b|c\/d|\|)$/`, "(t = 'a.b' OR t = 'c/d' OR t = '|')"],
    ['/^été 1-2$/', "(t = 'été 1-2')"],
    ...[
      '/a/',
      '/^a/',
      '/^a|b$/',
      '/^a.$/',
      '/^(?i)a$/',
      String.raw`/^\d$/`,
      '/^$/',
      '/^(a|)$/',
      '/^[a]$/',
    ].map((regex): [string, string] => [regex, `t =~ ${regex}`]),
  ])('takes t =~ %s for %s', (regex, expected) => {
    const [statement] = parseInfluxql(`SELECT v FROM cpu WHERE t =~ ${regex}`);
    expect(statement?.kind === 'select' && formatExpression(statement.where!)).toBe(expected);
  });

  // InfluxDB's words; test/query compares many more with a real one.
  it.each([
    ['SELECT', 'found EOF, expected identifier, string, number, bool at line 1, char 8'],
    ['SELECT v\nFROM', 'found EOF, expected identifier at line 2, char 6'],
    ['SELECT v FROM cpu ORDER BY v', 'only ORDER BY time supported at this time'],
    ["SELECT v FROM cpu tz('nowhere')", 'unable to find time zone nowhere'],
    ['SELECT v FROM cpu WHERE i = 99999999999999999999', 'unable to parse integer at line 1, char 29'],
    ['DROP MEASUREMENT cpu', 'DROP is not supported, only SELECT, SHOW and CREATE DATABASE are'],
    ['CREATE RETENTION POLICY x', 'CREATE is not supported, only SELECT, SHOW and CREATE DATABASE are'],
    ['CREATE DATABASE', 'found EOF, expected identifier at line 1, char 17'],
    ['CREATE DATABASE x WITH DURATION 1d', 'found WITH, expected ; at line 1, char 19'],
    ['SELECT v INTO other FROM cpu', 'found INTO, expected FROM at line 1, char 10'],
  ])('refuses %j', (text, message) => {
    expect(() => parseInfluxql(text)).toThrow(message);
  });

  it.each([
    [`SELECT ${'('.repeat(10_000)}v`, 'parentheses are nested more than 200 deep'],
    [`SELECT v${' + 1'.repeat(3000)} FROM cpu`, 'statement has more than 2000 operators'],
    [`SELECT v FROM cpu ${' '.repeat(1_000_000)}`, 'query is longer than 131072 characters'],
  ])('bounds what it reads', (text, message) => {
    expect(() => parseInfluxql(text)).toThrow(message);
  });
});
