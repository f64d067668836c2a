import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { findInfluxd, type Influxd, requireTool, startInfluxd } from '@tidemark/store/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { type PlatformProcess, startPlatform } from '../support/platform-process.ts';

let dataDir: string;
let platform: PlatformProcess;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tidemark-write-'));
  platform = await startPlatform({ dataDir });
});

afterAll(async () => {
  await platform.end('SIGTERM');
  await rm(dataDir, { recursive: true });
});

interface Answer {
  status: number;
  message: string;
  line?: number;
  lines?: { line: number; reason: string }[];
}

async function post(url: string, body: BodyInit, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url, { method: 'POST', headers, body });
  const text = await response.text();
  return { message: '', ...(text === '' ? {} : JSON.parse(text)), status: response.status };
}

const write = (query: string, body: BodyInit, headers?: Record<string, string>): Promise<Answer> =>
  post(`${platform.httpUrl}${query}`, body, headers);

/** The readings of a sensor, once the store holds so many. */
async function stored(sensor: string, count: number): Promise<Record<string, unknown>[]> {
  const read = () => allReadings(platform.httpUrl, `sensor=${sensor}`);
  await expect.poll(read, { timeout: 30_000 }).toHaveLength(count);
  return read();
}

async function quarantined(): Promise<{ id: string; reason: string; topic: string; text: string }[]> {
  const response = await fetch(`${platform.httpUrl}/api/v1/quarantine?limit=1000&source=line_protocol`);
  const { items } = (await response.json()) as { items: { payload: string }[] };
  return items.map((item) => ({ ...item, text: Buffer.from(item.payload, 'base64').toString() })) as never;
}

it.each([
  ['/write?db=tidemark&precision=ms', 1_700_000_000_000n],
  ['/write?db=tidemark&precision=u&rp=autogen', 1_700_000_001_000_000n],
  ['/write?db=tidemark&precision=h', 472_223n],
  ['/api/v2/write?bucket=tidemark&org=any&precision=s', 1_700_000_002n],
  ['/api/v2/write?bucket=tidemark', 1_700_000_003_000_000_001n],
])('%s stores readings at their times', async (query, time) => {
  expect(await write(query, `readings,sensor=unit temperature=${time} ${time}`)).toMatchObject({
    status: 204,
  });
  const sees = expect.objectContaining({ temperature: Number(time) });
  const read = () => allReadings(platform.httpUrl, 'sensor=unit');
  await expect.poll(read, { timeout: 30_000 }).toContainEqual(sees);
});

it('stores the good lines around a bad one, which is named and kept; replayed, it is stored too', async () => {
  const lines = Array.from(
    { length: 5000 },
    (_, n) => `readings,sensor=batch value=${n} ${1_600_000_000 + n}`,
  );
  lines[4321] = 'readings,sensor=batch value=4321 1600004321x';
  const answer = await write('/write?db=tidemark&precision=s', lines.join('\n'));
  expect(answer).toMatchObject({
    status: 400,
    line: 4322,
    message: `partial write: line 4322: unable to parse '${lines[4321]}': bad timestamp dropped=1`,
    lines: [{ line: 4322, reason: 'bad_line' }],
  });
  await stored('batch', 4999);
  const [item] = await quarantined();
  expect(item).toMatchObject({ reason: 'bad_line', topic: '/write?precision=s', text: lines[4321] });
  const payload = Buffer.from('readings,sensor=batch value=4321 1600004321').toString('base64');
  const replay = await fetch(`${platform.httpUrl}/api/v1/quarantine/${item!.id}/replay`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ payload }),
  });
  expect(await replay.json()).toMatchObject({ replayed: 1 });
  const values = (await stored('batch', 5000)).map(({ value }) => value as number);
  expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: 5000 }, (_, n) => n));
});

it('reads gzip, comments, CRLF and newlines in strings, in parts that end where lines do', async () => {
  const note = 'first\nreadings,sensor=x value=1 1\n'.repeat(30_000);
  const text = `# a comment\r\nreadings,sensor=long value=1,note="${note}" 1600000000000000000\r\n\r\nreadings,sensor=long value=2 1600000000000000001\r\n`;
  expect(text.length).toBeGreaterThan(900_000);
  const body = `${text}${'readings,sensor=long value=3 1600000000000000002\n'.repeat(10_000)}`;
  const answer = await write('/write?db=tidemark', gzipSync(body), { 'content-encoding': 'gzip' });
  expect(answer.status).toBe(204);
  const items = await stored('long', 3);
  expect(items.map(({ value }) => value).sort()).toEqual([1, 2, 3]);
  expect(items.find(({ value }) => value === 1)).toMatchObject({ note });
});

it('refuses a line that is no UTF-8, and one from the far future, alone', async () => {
  const bytes = Buffer.concat([
    Buffer.from('readings,sensor=mixed value=1 1600000000000000000\nm f="'),
    Buffer.from([0xc3, 0x28]),
    Buffer.from('" 1\nm f=1 4600000000000000000\nreadings,sensor=mixed value=2 1600000000000000001'),
  ]);
  const answer = await write('/api/v2/write?bucket=tidemark', bytes);
  expect(answer.status).toBe(400);
  expect(answer.lines).toMatchObject([
    { line: 2, reason: 'invalid_utf8' },
    { line: 3, reason: 'time_out_of_range' },
  ]);
  await stored('mixed', 2);
});

it('refuses values of another type than their field has, at once, and stores the rest of the batch', async () => {
  const url = '/api/v2/write?bucket=tidemark';
  expect(await write(url, 'typed,t=a value=1 1000000')).toMatchObject({ status: 204 });
  const lines =
    'typed,t=a value="one" 1000001\nreadings,sensor=typed value=1 1600000000000000000\ntyped,t=b value=2i 1000002';
  expect(await write(url, lines)).toMatchObject({
    status: 422,
    message: expect.stringContaining(
      'line 1: field type conflict: input field "value" on measurement "typed" is type string, already exists as type float',
    ),
    lines: [
      { line: 1, reason: 'type_conflict' },
      { line: 3, reason: 'type_conflict' },
    ],
  });
  await stored('typed', 1);
});

it('takes whole numbers and booleans of readings for floats, whichever a metric has first', async () => {
  const url = '/api/v2/write?bucket=tidemark';
  const line = 'readings,sensor=whole level=22i,count=7u,open=true,note="text" 1600000000000000000';
  expect(await write(url, line)).toMatchObject({ status: 204 });
  const response = await fetch(`${platform.httpUrl}/api/v1/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sensor: 'whole', level: 22.5, count: 7.5, open: 0.5, time: 1_600_000_001 }),
  });
  expect(response.status).toBe(200);
  expect(await stored('whole', 2)).toMatchObject([
    { level: 22, count: 7, open: 1, note: 'text' },
    { level: 22.5, count: 7.5, open: 0.5 },
  ]);
  const inexact = 'readings,sensor=whole level=9007199254740993i 1600000000000000002';
  expect(await write(url, inexact)).toMatchObject({
    status: 422,
    lines: [{ line: 1, reason: 'type_conflict' }],
  });
});

it('says what is wrong with a body, or too large, in the form of InfluxDB', async () => {
  const gzip = { 'content-encoding': 'gzip' };
  expect(await write('/write?db=tidemark', 'no gzip', gzip)).toMatchObject({ status: 400, code: 'invalid' });
  const bomb = gzipSync(Buffer.alloc(65 * 1024 * 1024, 35));
  expect(await write('/write?db=tidemark', bomb, gzip)).toMatchObject({
    status: 413,
    code: 'request too large',
    error: expect.stringContaining('larger than'),
  });
});

it('numbers lines across the parts of a long body', async () => {
  const good = 'filler f=1 1\n'.repeat(200_000);
  const answer = await write('/write?db=tidemark', `${good}bad\n${good}worse\n`);
  expect(answer).toMatchObject({ status: 400, lines: [{ line: 200_001 }, { line: 400_002 }] });
});

const influxdBinary = findInfluxd();
describe.skipIf(!requireTool('influxd', influxdBinary))('beside influxd', () => {
  let influxd: Influxd;
  beforeAll(async () => {
    influxd = await startInfluxd(influxdBinary!);
  });
  afterAll(() => influxd.stop());

  const both = (path: string, body: BodyInit, headers: Record<string, string> = {}): Promise<Answer[]> =>
    Promise.all([
      post(`${influxd.url}${path}`, body, { ...headers, authorization: `Token ${influxd.token}` }),
      write(path, body, headers),
    ]);

  it.each([
    '/write',
    '/write?db=nope',
    '/write?db=tidemark&rp=nope',
    '/api/v2/write?org=tidemark&bucket=nope',
  ])('%s has its status', async (path) => {
    const [theirs, ours] = await both(path, 'm f=1 1');
    expect(ours!.status).toBe(theirs!.status);
    expect(ours!.message.startsWith(theirs!.message)).toBe(true);
  });

  it.each(['/write?db=tidemark', '/api/v2/write?org=tidemark&bucket=tidemark'])(
    '%s takes a gzip of nothing, and no bytes for none',
    async (path) => {
      const gzip = { 'content-encoding': 'gzip' };
      const [theirs, ours] = await both(path, gzipSync(''), gzip);
      expect([theirs!.status, ours!.status]).toEqual([204, 204]);
      const [theirFault, ourFault] = await both(path, new Uint8Array(), gzip);
      // What is no gzip is the sender's fault, not the server's.
      expect(theirFault).toMatchObject({ status: 500, code: 'internal error' });
      expect(ourFault).toMatchObject({ status: 400, code: 'invalid', message: 'the body is not valid gzip' });
    },
  );

  it.each([
    ['GET', '/write?db=tidemark'],
    ['PUT', '/api/v2/write?org=tidemark&bucket=tidemark'],
  ])('%s of %s is refused in its form', async (method, path) => {
    const headers = { authorization: `Token ${influxd.token}` };
    const [theirs, ours] = await Promise.all(
      [influxd.url, platform.httpUrl].map(async (url) => {
        const response = await fetch(url + path, { method, headers });
        const { code, message } = (await response.json()) as Record<string, unknown>;
        return { status: response.status, type: response.headers.get('content-type'), code, message };
      }),
    );
    expect([theirs!.status, theirs!.code]).toEqual([405, 'method not allowed']);
    expect([ours!.status, ours!.code]).toEqual([405, 'method not allowed']);
    expect(ours).toMatchObject({ type: 'application/json', message: expect.stringContaining('use POST') });
  });

  it('a value of another type than its field has is judged as it judges', async () => {
    const path = '/api/v2/write?org=tidemark&bucket=tidemark';
    await both(path, 'kind f=1 1');
    for (const line of ['kind f=1i 2', 'kind f="x" 2', 'kind f=t 2', 'kind f=1u 2']) {
      const [theirs, ours] = await both(path, line);
      expect([ours!.status, ours!.message.replace('line 1: ', '')]).toEqual([
        theirs!.status,
        theirs!.message,
      ]);
    }
  });

  it.each([
    ...[
      'm f=1',
      'm,t=1 f=1,g=2i,h=3u,b=t,s="x" 5',
      'm\\ x,t\\=1=a\\,b f\\ 1="\\"" 1',
      '',
      '#',
      'é,ü=ö ä=1 1',
      'm f=1.5e-3 5',
    ],
    ...[
      'm',
      'm,',
      'm,t',
      'm,t= f=1',
      'm ',
      'm f',
      'm f=',
      'm =1',
      'm f=1,',
      'm f=1,=2',
      'm f=abc',
      'm f=+1',
      'm f=1x',
    ],
    ...[
      'm f=NaN',
      'm f=-inf',
      'm f=1.5i',
      'm f=-1u',
      'm f=1e400',
      'm f=9223372036854775808i',
      'm f="open',
      'm f=1 5.5',
    ],
    ...[
      'm f=1 5 6',
      'm f=1 99999999999999999999',
      'm,t=1,t=2 f=1',
      'm,t=1=2 f=1',
      'm,time=1 f=1',
      ',t=1 f=1',
      'm,t=\\ f=1',
    ],
  ])('%j is judged as it judges', async (line) => {
    const body = line.replace(/^m/, `m${Math.random().toString(36).slice(2)}`);
    const [theirs, ours] = await both('/api/v2/write?org=tidemark&bucket=tidemark', body);
    expect([ours!.status, ours!.message.replace(/^line 1: /, '')]).toEqual([theirs!.status, theirs!.message]);
  });
});
