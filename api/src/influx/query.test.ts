import { type Point, parseLines, TidemarkError } from '@tidemark/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

// What InfluxDB 2.7.12 answers to the same requests, byte for byte, unless a comment says why not.

const lines = `
cpu,host=a,region=eu v=34.2,i=5i,s="x" 1600000000299264788
cpu,host=a,region=eu v=-13.6,s="a,b" 1600000010741223692
cpu,host=b,region=us v=61.8,b=true 1600000013863212823
cpu,host=c v=0.5 1600000016000000000
mem,host=a w=0.25 1600000020000000000
`;

let platform: Awaited<ReturnType<typeof startTestPlatform>>;

beforeAll(async () => {
  platform = await startTestPlatform();
  await platform.engine.write([...pointsOf(lines)]);
});

afterAll(() => platform.stop());

function* pointsOf(text: string): Generator<Point> {
  for (const parsed of parseLines(text.trim())) {
    if ('point' in parsed) yield { ...parsed.point, timeNs: parsed.point.timeNs! };
  }
}

async function get(parameters: Record<string, string>, headers: Record<string, string> = {}) {
  const path = `/query?${new URLSearchParams(parameters)}`;
  const response = await platform.app.request(path, { headers });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}

const db = 'tidemark';
const one = 'SELECT v FROM cpu LIMIT 1';

describe('GET /query', () => {
  it('answers in RFC 3339 with what nanoseconds there are', async () => {
    expect(await get({ db, q: one })).toEqual({
      status: 200,
      type: 'application/json',
      text: '{"results":[{"statement_id":0,"series":[{"name":"cpu","columns":["time","v"],"values":[["2020-09-13T12:26:40.299264788Z",34.2]]}]}]}\n',
    });
  });

  it.each([
    ['ns', '1600000000299264788'],
    ['u', '1600000000299264'],
    ['ms', '1600000000299'],
    ['s', '1600000000'],
    ['m', '26666666'],
    ['h', '444444'],
    ['x', '1600000000299264788'],
  ])('tells times in %s', async (epoch, time) => {
    expect((await get({ db, q: one, epoch })).text).toContain(`[[${time},34.2]]`);
  });

  it('takes values beside the query', async () => {
    const q = 'SELECT v FROM cpu WHERE time = $at AND host = $host';
    const ask = (params: string) => get({ db, q, params, epoch: 'ns' });
    const found = await ask('{"at": 1600000000299264788, "host": "a"}');
    expect(found.text).toContain('"values":[[1600000000299264788,34.2]]');
    expect((await ask('{"at": 1600000000299264789, "host": "a"}')).text).toBe(
      '{"results":[{"statement_id":0}]}\n',
    );
    expect(await ask('{"at": 1}')).toMatchObject({
      status: 400,
      text: expect.stringContaining('"message":"failed to parse query: missing parameter: host"'),
    });
    for (const params of ['nonsense', '[1]']) {
      const message = '"message":"error parsing query parameters: ';
      expect(await ask(params)).toMatchObject({ status: 400, text: expect.stringContaining(message) });
    }
  });

  it('tells times in the zone of the query', async () => {
    const { text } = await get({ db, q: `${one} tz('Europe/Berlin')` });
    expect(text).toContain('"2020-09-13T14:26:40.299264788+02:00"');
  });

  it('answers several statements, tags in order, and nothing for what is not there', async () => {
    const { text } = await get({
      db,
      q: `SELECT v FROM cpu GROUP BY region, host LIMIT 1; SELECT x FROM nope`,
    });
    expect(JSON.parse(text)).toEqual({
      results: [
        {
          statement_id: 0,
          series: [
            ['', 'c', '2020-09-13T12:26:56Z', 0.5],
            ['eu', 'a', '2020-09-13T12:26:40.299264788Z', 34.2],
            ['us', 'b', '2020-09-13T12:26:53.863212823Z', 61.8],
          ]
            .sort(([, a], [, b]) => (String(a) < String(b) ? -1 : 1))
            .map(([region, host, time, v]) => ({
              name: 'cpu',
              tags: { host, region },
              columns: ['time', 'v'],
              values: [[time, v]],
            })),
        },
        { statement_id: 1 },
      ],
    });
    expect(text).toContain('"tags":{"host":"a","region":"eu"}');
  });

  it('keeps the digits of integers, and writes no text that is not JSON', async () => {
    await platform.engine.write([...pointsOf('big n=9007199254740993i,t="\\"\u0001" 1')]);
    expect((await get({ db, q: 'SELECT n, t FROM big', epoch: 'ns' })).text).toContain(
      '[[1,9007199254740993,"\\"\\u0001"]]',
    );
  });

  it('indents by four where pretty is asked for, as InfluxDB 1 does', async () => {
    const { text } = await get({ db, q: one, epoch: 'ns', pretty: 'true' });
    expect(text).toContain('{\n    "results": [\n');
    expect(text).toContain('1600000000299264788');
  });

  it.each([
    [{ q: one }, 'database name required'],
    [{ q: 'SHOW MEASUREMENTS' }, 'database name required'],
    [{ q: 'SHOW FIELD KEYS' }, 'database name required'],
    [{ db: 'x', q: one }, 'database not found: x'],
    [{ db, rp: 'foo', q: one }, 'retention policy not found: foo'],
    [{ db, q: 'SELECT nosuch(v) FROM cpu' }, 'undefined function nosuch()'],
    [{ db, q: 'SELECT sum(s) FROM cpu' }, 'unsupported sum iterator type: *query.stringInterruptIterator'],
    [
      {
        db,
        q: "SELECT mean(v) FROM cpu WHERE time > '1990-01-01' AND time < '2020-12-31' GROUP BY time(1s)",
      },
      'max-select-buckets limit exceeded: (978220800/1000000)',
    ],
  ])('answers %o with an error in the result', async (parameters, error) => {
    const { status, text } = await get(parameters);
    expect({ status, body: JSON.parse(text) }).toEqual({
      status: 200,
      body: { results: [{ statement_id: 0, error }] },
    });
  });

  it('stops at the first statement that fails, and tells its reason', async () => {
    // InfluxDB puts "not executed" in the place of the reason, unless the statement is the last.
    const { text } = await get({ db, q: `${one}; SELECT sum(s) FROM cpu; ${one}` });
    expect(JSON.parse(text).results).toEqual([
      expect.objectContaining({ statement_id: 0, series: expect.any(Array) }),
      { statement_id: 1, error: 'unsupported sum iterator type: *query.stringInterruptIterator' },
    ]);
  });

  it.each([
    [
      'SELEC',
      'found SELEC, expected SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, SET, KILL at line 1, char 1',
    ],
    ['SELECT v FROM cpu WHERE host =~ /(/', 'error parsing regexp: missing closing ): `(`'],
    [
      `SELECT ${'('.repeat(10_000)}v${')'.repeat(10_000)} FROM cpu`,
      'parentheses are nested more than 200 deep',
    ],
    [`SELECT ${'v,'.repeat(500_000)}v FROM cpu`, 'query is longer than 131072 characters'],
  ])('answers what does not parse with 400', async (q, reason) => {
    const body = new URLSearchParams({ db, q });
    const response = await platform.app.request('/query', { method: 'POST', body });
    const message = `failed to parse query: ${reason}`;
    expect({ status: response.status, body: await response.json() }).toEqual({
      status: 400,
      body: { code: 'invalid', message, error: message },
    });
  });

  it('answers a regular expression that would blow up elsewhere', async () => {
    const q = `SELECT v FROM cpu WHERE s =~ /${'(a+)+'.repeat(30)}$/`;
    expect(JSON.parse((await get({ db, q })).text)).toEqual({ results: [{ statement_id: 0 }] });
  });

  it('reads no statement at all as InfluxDB does', async () => {
    expect(await get({ db })).toMatchObject({
      status: 400,
      text: expect.stringContaining('mime: no media type'),
    });
    const body = new URLSearchParams({ q: '' });
    expect(await (await platform.app.request('/query', { method: 'POST', body })).text()).toBe('{}\n');
  });

  it('answers 503 in the form of InfluxDB while the store cannot be asked', async () => {
    const cause = new TidemarkError('store_unavailable', 'the store is not open', { retryable: true });
    const answer = () => Promise.reject(cause);
    const engine = Object.create(platform.engine, { influxql: { value: { kind: 'own', answer } } });
    const broken = await startTestPlatform({ engine });
    const response = await broken.app.request(`/query?${new URLSearchParams({ db, q: one })}`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: 'unavailable', message: 'the store is not open' });
    await broken.stop();
  });
});

describe('POST /query', () => {
  it('reads a form, whose values stand before those of the address', async () => {
    const body = new URLSearchParams({ q: one, db });
    const response = await platform.app.request('/query?db=other&q=x&epoch=s', { method: 'POST', body });
    expect(await response.text()).toContain('[[1600000000,34.2]]');
  });

  it('reads a query as the body', async () => {
    const headers = { 'content-type': 'application/vnd.influxql' };
    const response = await platform.app.request('/query?db=tidemark', { method: 'POST', headers, body: one });
    expect(await response.text()).toContain('34.2');
  });

  it('reads a form in parts', async () => {
    const body = new FormData();
    body.set('q', one);
    body.set('db', db);
    const request = new Request('http://localhost/query', { method: 'POST', body });
    const bytes = await request.clone().arrayBuffer();
    const headers = new Headers(request.headers);
    headers.set('content-length', String(bytes.byteLength));
    const response = await platform.app.request('/query', { method: 'POST', headers, body: bytes });
    expect(await response.text()).toContain('34.2');
  });

  it('refuses a body that nobody types', async () => {
    const body = new URLSearchParams({ db, q: `${one} ${' '.repeat(5_000_000)}` });
    const response = await platform.app.request('/query', { method: 'POST', body });
    expect(response.status).toBe(413);
  });
});

describe('chunks', () => {
  it('come one to a line, each but the last of a statement partial', async () => {
    const { text } = await get({
      db,
      epoch: 's',
      chunked: 'true',
      chunk_size: '2',
      q: `SELECT v FROM cpu LIMIT 3; SELECT v FROM cpu GROUP BY host LIMIT 1; SELECT x FROM nope; SHOW TAG VALUES WITH KEY = host`,
    });
    expect(text.trimEnd().split('\n')).toEqual([
      '{"results":[{"statement_id":0,"series":[{"name":"cpu","columns":["time","v"],"values":[[1600000000,34.2],[1600000010,-13.6]],"partial":true}],"partial":true}]}',
      '{"results":[{"statement_id":0,"series":[{"name":"cpu","columns":["time","v"],"values":[[1600000013,61.8]]}]}]}',
      '{"results":[{"statement_id":1,"series":[{"name":"cpu","tags":{"host":"a"},"columns":["time","v"],"values":[[1600000000,34.2]]}],"partial":true}]}',
      '{"results":[{"statement_id":1,"series":[{"name":"cpu","tags":{"host":"b"},"columns":["time","v"],"values":[[1600000013,61.8]]}],"partial":true}]}',
      '{"results":[{"statement_id":1,"series":[{"name":"cpu","tags":{"host":"c"},"columns":["time","v"],"values":[[1600000016,0.5]]}]}]}',
      '{"results":[{"statement_id":2}]}',
      '{"results":[{"statement_id":3,"series":[{"name":"cpu","columns":["key","value"],"values":[["host","a"],["host","b"]],"partial":true}],"partial":true}]}',
      '{"results":[{"statement_id":3,"series":[{"name":"cpu","columns":["key","value"],"values":[["host","c"]]}]}]}',
      '{"results":[{"statement_id":3,"series":[{"name":"mem","columns":["key","value"],"values":[["host","a"]]}]}]}',
    ]);
  });
});

describe('CSV', () => {
  it.each(['text/csv', 'application/csv'])('is answered to %s', async (accept) => {
    const q = 'SELECT v, s, b, i FROM cpu GROUP BY host, region; SELECT w FROM mem';
    expect(await get({ db, q }, { accept })).toEqual({
      status: 200,
      type: accept,
      text: [
        'name,tags,time,v,s,b,i',
        'cpu,"host=a,region=eu",1600000000299264788,34.2,x,,5',
        'cpu,"host=a,region=eu",1600000010741223692,-13.6,"a,b",,',
        'cpu,"host=b,region=us",1600000013863212823,61.8,,true,',
        'cpu,host=c,1600000016000000000,0.5,,,',
        '',
        'name,tags,time,w',
        'mem,,1600000020000000000,0.25',
        '',
      ].join('\n'),
    });
  });

  it('tells an error, which InfluxDB leaves out', async () => {
    const { text } = await get({ db, q: 'SELECT sum(s) FROM cpu' }, { accept: 'text/csv' });
    expect(text).toBe('error\nunsupported sum iterator type: *query.stringInterruptIterator\n');
  });
});

it('has nothing to do to create its own database, and creates no other', async () => {
  // As InfluxDB 1, by whose protocol clients ask for it; InfluxDB 2 answers an error.
  for (const q of ['CREATE DATABASE tidemark', 'create database "tidemark";']) {
    expect(await get({ q })).toMatchObject({ status: 200, text: '{"results":[{"statement_id":0}]}\n' });
  }
  expect(await get({ db, q: `CREATE DATABASE tidemark; ${one}` })).toMatchObject({
    status: 200,
    text: expect.stringContaining('[{"statement_id":0},{"statement_id":1,"series":'),
  });
  expect(await get({ q: 'CREATE DATABASE other' })).toMatchObject({
    status: 400,
    text: expect.stringContaining('cannot be created; there is \\"tidemark\\" alone'),
  });
});

it('lists the one database', async () => {
  expect((await get({ q: 'SHOW DATABASES' })).text).toBe(
    '{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":[["tidemark"]]}]}]}\n',
  );
});
