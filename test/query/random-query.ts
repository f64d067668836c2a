import fc from 'fast-check';
import { SPAN_S, START_S } from './points.ts';

/**
 * Queries over the points of `testLines`, from a grammar of what Grafana and people write. Left out is what
 * InfluxDB answers by the order of ties: see docs/influxql.md.
 */
export function randomQuery(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 3, arbitrary: rawQuery() },
    { weight: 6, arbitrary: aggregateQuery() },
    { weight: 2, arbitrary: selectorQuery() },
    { weight: 3, arbitrary: transformationQuery() },
    { weight: 2, arbitrary: subqueryQuery() },
    { weight: 1, arbitrary: clockQuery() },
    { weight: 1, arbitrary: showQuery() },
  );
}

const oneOf = (...texts: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);
const maybe = (arbitrary: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.oneof(fc.constant(''), arbitrary);
const words = (...parts: readonly (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> =>
  fc
    .tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part)))
    .map((texts) => texts.filter((text) => text !== '').join(' '));
const list = (item: fc.Arbitrary<string>, most: number): fc.Arbitrary<string> =>
  fc.uniqueArray(item, { minLength: 1, maxLength: most }).map((items) => items.join(', '));

const number = fc.oneof(fc.integer({ min: -20, max: 60 }).map(String), oneOf('0.5', '12.25', '33.3'));
const numericField = oneOf('v', 'i', 'u');
const second = fc.integer({ min: -20, max: Number(SPAN_S) + 20 }).map((past) => `${START_S + BigInt(past)}s`);
const duration = oneOf('7s', '10s', '30s', '1m', '90s', '2m');

const timeRange = fc.tuple(second, second, oneOf('>', '>='), oneOf('<', '<=')).map(([a, b, from, to]) => {
  const [low, high] = a.length < b.length || (a.length === b.length && a < b) ? [a, b] : [b, a];
  return `time ${from} ${low} AND time ${to} ${high}`;
});

const comparison = fc.oneof(
  words(oneOf('host', 'region'), oneOf('=', '!='), oneOf("'a'", "'b'", "'eu'", "''", "'none'")),
  words(
    oneOf('host', 'region'),
    oneOf('=~', '!~'),
    oneOf('/a|b/', '/^c$/', '/^(a|b)$/', '/^a|c$/', '/u/', '/(?i)E/', '/./'),
  ),
  words(numericField, oneOf('=', '!=', '<', '<=', '>', '>='), number),
  words('s', oneOf('=', '!='), oneOf("'x'", "'y'", "''")),
  words('s', oneOf('=~', '!~'), oneOf('/x|z/', '/^y$/', '/^(?:x|y)$/')),
  words('b', oneOf('=', '!='), oneOf('true', 'false')),
  words('v', oneOf('+', '*', '-'), number, oneOf('<', '>'), number),
  words('v', oneOf('<', '>'), 'i'),
);

const condition = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    comparison,
    words('(', tie('node'), oneOf('AND', 'OR'), tie('node'), ')'),
  ),
})).node;

const where = (needsTime: boolean): fc.Arbitrary<string> => {
  const both = fc.tuple(timeRange, condition).map(([time, other]) => `WHERE ${time} AND ${other}`);
  const time = timeRange.map((text) => `WHERE ${text}`);
  if (needsTime) return fc.oneof(time, both);
  return fc.oneof(
    fc.constant(''),
    time,
    both,
    condition.map((text) => `WHERE ${text}`),
  );
};

const source = fc.oneof(
  { weight: 6, arbitrary: fc.constant('cpu') },
  oneOf('mem', 'cpu, mem', '/^(cpu|mem)$/', 'autogen.cpu', 'nothing'),
);
const tagGroups = oneOf('host', 'region', 'host, region', '*', '/ho/', 'nothing');
const order = maybe(oneOf('ORDER BY time DESC', 'ORDER BY time ASC', 'ORDER BY time'));
const seriesLimits = maybe(oneOf('SLIMIT 1', 'SLIMIT 2', 'SLIMIT 1 SOFFSET 1'));
const limits = words(
  maybe(oneOf('LIMIT 1', 'LIMIT 3', 'LIMIT 8', 'LIMIT 2 OFFSET 1', 'LIMIT 5 OFFSET 3')),
  seriesLimits,
);
const fill = maybe(
  oneOf('fill(null)', 'fill(none)', 'fill(previous)', 'fill(linear)', 'fill(0)', 'fill(2.5)'),
);

function expressionOf(operand: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 4, arbitrary: operand },
    words(operand, oneOf('+', '-', '*', '/', '%'), number),
    words(oneOf('abs(', 'floor(', 'ceil(', 'round('), operand, ')'),
    words('(', operand, oneOf('+', '-', '*', '/'), operand, ')', oneOf('* 2', '/ 3', '- 1')),
  );
}

function rawQuery(): fc.Arbitrary<string> {
  const field = fc.oneof(
    { weight: 4, arbitrary: oneOf('v', 'i', 'u', 's', 'b', 'host', 'region', 'nothing') },
    expressionOf(oneOf('v', 'i')),
    oneOf('*', '/^[vi]$/', '*::tag', '*::field', 'i::float', 'v::integer', 'v AS "a b"'),
  );
  const group = maybe(tagGroups.map((tags) => `GROUP BY ${tags}`));
  return words(
    'SELECT',
    list(field, 3),
    'FROM',
    source,
    where(false),
    group,
    maybe(oneOf('fill(previous)')),
    order,
    limits,
  );
}

const aggregate = fc.oneof(
  words(
    oneOf('count(', 'sum(', 'mean(', 'median(', 'stddev(', 'spread(', 'min(', 'max(', 'first(', 'last('),
    numericField,
    ')',
  ),
  words(oneOf('count(', 'first(', 'last('), oneOf('s', 'b', 'nothing'), ')'),
  words('percentile( v ,', oneOf('50', '75', '90', '99.9', '100'), ')'),
  words('count(distinct(', oneOf('i', 's', 'u'), '))'),
);

function grouping(): fc.Arbitrary<{ text: string; hasTime: boolean }> {
  const time = fc.oneof(
    duration.map((every) => `time(${every})`),
    fc.tuple(duration, oneOf('1s', '-2s', '13s')).map(([every, offset]) => `time(${every}, ${offset})`),
  );
  return fc.oneof(
    fc.constant({ text: '', hasTime: false }),
    tagGroups.map((tags) => ({ text: `GROUP BY ${tags}`, hasTime: false })),
    time.map((text) => ({ text: `GROUP BY ${text}`, hasTime: true })),
    fc.tuple(time, tagGroups).map(([text, tags]) => ({ text: `GROUP BY ${text}, ${tags}`, hasTime: true })),
  );
}

interface GroupedOptions {
  filling?: fc.Arbitrary<string>;
  limited?: fc.Arbitrary<string>;
}

function grouped(
  selected: fc.Arbitrary<string>,
  from: fc.Arbitrary<string>,
  { filling = fill, limited = limits }: GroupedOptions = {},
): fc.Arbitrary<string> {
  return grouping().chain(({ text, hasTime }) =>
    words('SELECT', selected, 'FROM', from, where(hasTime), text, hasTime ? filling : '', order, limited),
  );
}

function aggregateQuery(): fc.Arbitrary<string> {
  const selected = fc.oneof(
    list(aggregate, 3),
    list(expressionOf(aggregate), 2),
    oneOf(
      'mean(*)',
      'count(*)',
      'max(/^[vi]$/)',
      'mean(v) AS m, max(v)',
      'distinct(s)',
      'distinct(i)',
      'distinct(b)',
    ),
  );
  return grouped(selected, source);
}

function selectorQuery(): fc.Arbitrary<string> {
  const selector = words(
    oneOf('first(v)', 'last(v)', 'min(v)', 'max(v)', 'percentile(v, 60)'),
    ',',
    list(oneOf('host', 'i', 's', 'region'), 2),
  );
  const extremes = oneOf(
    'top(v, 2)',
    'bottom(v, 3)',
    'top(v, host, 2)',
    'bottom(v, 2), s, i',
    'sample(v, 1000)',
  );
  const textless = maybe(oneOf('fill(none)', 'fill(null)', 'fill(previous)'));
  return fc.oneof(
    grouped(selector, fc.constant('cpu'), { filling: textless }),
    grouped(extremes, fc.constant('cpu'), { filling: fc.constant(''), limited: seriesLimits }),
  );
}

const transformation = (inner: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    words(oneOf('derivative(', 'non_negative_derivative('), inner, maybe(oneOf(', 1m', ', 1s')), ')'),
    words(oneOf('difference(', 'non_negative_difference(', 'cumulative_sum('), inner, ')'),
    words('elapsed(', inner, maybe(oneOf(', 1s', ', 1ms')), ')'),
    words('moving_average(', inner, ',', oneOf('2', '3', '5'), ')'),
  );

function transformationQuery(): fc.Arbitrary<string> {
  const tags = maybe(oneOf(', host', ', *'));
  const raw = words(
    'SELECT',
    transformation(oneOf('v', 'i')),
    'FROM cpu',
    where(false),
    oneOf('GROUP BY host', 'GROUP BY *', ''),
    order,
    limits,
  );
  const inner = words(oneOf('mean(', 'max(', 'sum(', 'count(', 'last('), oneOf('v', 'i'), ')');
  const windows = fc.tuple(duration, tags).map(([every, more]) => `GROUP BY time(${every})${more}`);
  const windowed = words(
    'SELECT',
    transformation(inner),
    'FROM cpu',
    where(true),
    windows,
    fill,
    order,
    limits,
  );
  return fc.oneof(raw, windowed);
}

function subqueryQuery(): fc.Arbitrary<string> {
  const inner = fc.oneof(
    words('SELECT v, i AS j FROM cpu', maybe(condition.map((text) => `WHERE ${text}`))),
    oneOf('SELECT mean(v) AS v FROM cpu GROUP BY host', 'SELECT max(v) AS v, min(i) AS j FROM cpu'),
    duration.map(
      (every) =>
        `SELECT mean(v) AS v FROM cpu WHERE time >= ${START_S}s AND time < ${START_S + 300n}s GROUP BY time(${every}), host`,
    ),
    oneOf(
      'SELECT difference(v) AS v FROM cpu GROUP BY host',
      'SELECT v * 2 AS v, host FROM cpu',
      'SELECT top(v, host, 2) AS v FROM cpu',
    ),
  );
  const nested = inner.map((text) => `(${text})`);
  const outer = oneOf('mean(v)', 'sum(v)', 'count(v)', 'max(v)', 'count(v), max(v) - min(v)', 'spread(v)');
  const range = timeRange.map((text) => `WHERE ${text}`);
  return fc.oneof(
    words('SELECT', outer, 'FROM', nested, maybe(oneOf('GROUP BY host', 'WHERE v > 10', "WHERE host = 'a'"))),
    words(
      'SELECT',
      outer,
      'FROM',
      nested,
      range,
      oneOf('GROUP BY time(1m)', 'GROUP BY time(30s), host'),
      'fill(none)',
    ),
    words(
      'SELECT',
      oneOf('v', '*', 'v, host', 'v + 1'),
      'FROM',
      nested,
      maybe(oneOf('WHERE v > 10', 'GROUP BY host')),
    ),
  );
}

function clockQuery(): fc.Arbitrary<string> {
  const range = oneOf(
    "time >= '2020-10-24' AND time < '2020-10-27'",
    "time >= '2021-03-27' AND time < '2021-03-30'",
    "time >= '2020-10-24 12:00:00' AND time <= '2020-10-25T23:00:00Z'",
  );
  const zone = oneOf('Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'UTC');
  return words(
    'SELECT',
    oneOf('mean(v)', 'count(v), sum(k)', 'first(v)', 'max(v)'),
    'FROM berlin WHERE',
    range,
    oneOf('GROUP BY time(1d)', 'GROUP BY time(12h)', 'GROUP BY time(1h)', 'GROUP BY time(1w)'),
    maybe(oneOf('fill(none)', 'fill(0)', 'fill(previous)')),
    zone.map((name) => `tz('${name}')`),
  );
}

function showQuery(): fc.Arbitrary<string> {
  const tagCondition = maybe(
    words('WHERE', oneOf('host', 'region'), oneOf("= 'a'", "!= 'a'", '=~ /b|eu/', "= ''")),
  );
  const from = maybe(oneOf('FROM cpu', 'FROM /m/', 'FROM nothing', 'FROM cpu, mem'));
  const some = words(maybe(oneOf('LIMIT 1', 'LIMIT 2')), maybe(fc.constant('OFFSET 1')));
  return fc.oneof(
    words(
      'SHOW MEASUREMENTS',
      maybe(oneOf('WITH MEASUREMENT =~ /c|m/', 'WITH MEASUREMENT = cpu')),
      tagCondition,
      some,
    ),
    words('SHOW TAG KEYS', from, tagCondition, some),
    words(
      'SHOW TAG VALUES',
      from,
      oneOf('WITH KEY = host', 'WITH KEY =~ /o/', 'WITH KEY IN (host, region)', 'WITH KEY != host'),
      tagCondition,
      some,
    ),
    words('SHOW FIELD KEYS', from, some),
    words('SHOW SERIES', from, tagCondition, some),
  );
}
