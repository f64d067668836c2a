import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeExactLine, encodeLine, type Point, parseLines, Uint64 } from '@tidemark/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NewStore, onBothStores } from '../support/both-stores.ts';
import { type PlatformProcess, runTidemark, startPlatform } from '../support/platform-process.ts';

const startNs = 1_700_000_000_000_000_000n;
const names = ['plain', 'a b', 'a,b', 'a=b', 'a"b', 'back\\slash', '__proto__', '7', '温度 🌡️', "it's", '$1'];

/** All types, awkward names and values, and sensors' readings. */
const points: Point[] = [
  ...names.map(
    (name, index): Point => ({
      measurement: `m ${name}`,
      tags: [
        [`key ${name}`, name],
        ['sensor', name],
      ],
      fields: [
        [`f ${name}`, [0, -0, 5e-324, 1.7976931348623157e308, -1e21, 0.1 + 0.2][index % 6]!],
        ['i', -(2n ** 63n)],
        ['u', new Uint64(2n ** 64n - 1n)],
        ['b', index % 2 === 0],
        ['s', ['', 'two\nlines', 'q"uote', 'back\\', '\n#tidemark {}\n', ' ='][index % 6]!],
      ],
      timeNs: startNs + BigInt(index),
    }),
  ),
  ...Array.from(
    { length: 3000 },
    (_, index): Point => ({
      measurement: 'readings',
      tags: [
        ['location', `hall ${index % 3}`],
        ['sensor', `s${index % 3}`],
      ],
      fields: [
        ['temperature', index / 7],
        ['note_text', `n${index}`],
      ],
      timeNs: startNs + BigInt(index) * 1_000_000_001n,
    }),
  ),
];

const formats = ['csv', 'line', 'parquet'] as const;

onBothStores(roundTrips);

/** From one platform to a new one, by the commands, in each format. */
function roundTrips(newStore: NewStore): void {
  let folder: string;
  let source: PlatformProcess;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidemark-transfer-'));
    const env = await newStore();
    source = await startPlatform({ dataDir: join(folder, 'source'), env });
    const query = new URLSearchParams({ bucket: env.INFLUX_BUCKET ?? 'tidemark' });
    const body = points.map((point) => encodeLine(point)).join('\n');
    const response = await fetch(`${source.httpUrl}/api/v2/write?${query}`, { method: 'POST', body });
    expect(await response.text()).toBe('');
    // A name that line protocol has no way to write.
    const reading = { sensor: 'end\\', location: 'x\\', 'metric\\': 1, time: '2026-05-01T12:00:00Z' };
    await postReading(source, reading);
  }, 60_000);
  afterAll(async () => {
    await source.end('SIGTERM');
    await rm(folder, { recursive: true });
  });

  it.each(formats)(
    '%s: what is exported imports to the same points, once and again',
    { timeout: 120_000 },
    async (format) => {
      const file = join(folder, `all.${{ csv: 'csv', line: 'lp', parquet: 'parquet' }[format]}`);
      const exported = await runTidemark(['export', file, '--url', source.httpUrl, '--json']);
      expect(exported.stderr).toBe('');
      expect(JSON.parse(exported.stdout.trim().split('\n').at(-1)!)).toMatchObject({ event: 'done', format });
      const env = await newStore();
      const target = await startPlatform({ dataDir: join(folder, `target-${format}`), env });
      try {
        const wanted = await everything(source);
        expect(wanted).toHaveLength(names.length * 5 + 3000 * 2 + 1);
        for (let times = 1; times <= 2; times++) {
          const imported = await runTidemark(['import', file, '--url', target.httpUrl, '--json']);
          expect(imported.stderr).toBe('');
          const result = JSON.parse(imported.stdout.trim().split('\n').at(-1)!);
          expect(result).toMatchObject({ event: 'done', refused: 0, percent: 100 });
          expect(imported.code).toBe(0);
          expect(await everything(target)).toEqual(wanted);
        }
        expect(await readdir(join(folder, `target-${format}`, 'transfers')).catch(() => [])).toEqual([]);
      } finally {
        await target.end('SIGTERM');
      }
    },
  );

  it.each([
    ['--sensor', 's1', 2000],
    ['--location', 'hall 2', 2000],
    ['--metric', 'temperature', 3000],
    ['--metric', 'note', 3000],
    ['--measurement', 'm a b', 5],
    ['--to', String(startNs + 5n), 5 * 5 + 2],
  ])('%s %s chooses %d values', async (option, value, count) => {
    const { stdout } = await runTidemark(['export', '-', option, value, '--url', source.httpUrl]);
    expect(stdout.split('\r\n')).toHaveLength(count + 2);
  });
}

describe('bad input', () => {
  let folder: string;
  let platform: PlatformProcess;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidemark-import-'));
    platform = await startPlatform({
      dataDir: join(folder, 'data'),
      env: { TIDEMARK_HTTP_MAX_BODY_BYTES: String(4 * 1024 * 1024) },
    });
  });
  afterAll(async () => {
    await platform.end('SIGTERM');
    await rm(folder, { recursive: true });
  });

  const post = async (type: string, body: BodyInit, query = '') => {
    const response = await fetch(`${platform.httpUrl}/api/v1/import${query}`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
      ...(body instanceof ReadableStream && { duplex: 'half' }),
    } as RequestInit);
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      body: await response.json(),
    };
  };
  const header = 'time,measurement,sensor,location,tags,field,type,value\r\n';
  const isProblem = { type: 'application/problem+json' };

  it.each([
    ['text/csv', '', 400, 'bad_request'],
    ['text/csv', 'a,b,c\n1,2,3\n', 400, 'bad_request'],
    ['application/vnd.apache.parquet', '', 400, 'bad_request'],
    ['application/vnd.apache.parquet', 'PAR1 no parquet PAR1', 400, 'bad_request'],
    ['application/json', '{}', 415, 'unsupported_media_type'],
  ])('%s %j is %d %s', async (type, body, status, code) => {
    expect(await post(type, body)).toMatchObject({ ...isProblem, status, body: { code } });
  });

  it('refuses unknown parameters and formats', async () => {
    expect(await post('text/csv', header, '?colour=red')).toMatchObject({ ...isProblem, status: 400 });
    expect(await post('text/csv', header, '?format=xml')).toMatchObject({ ...isProblem, status: 400 });
    const answer = await fetch(`${platform.httpUrl}/api/v1/export?format=xml`);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
  });

  it('says where a Parquet file is cut off, or has other columns, and lives on', {
    timeout: 60_000,
  }, async () => {
    await postReading(platform, { sensor: 'a', x: 1, time: '2026-05-01T12:00:00Z' });
    const file = Buffer.from(
      await (await fetch(`${platform.httpUrl}/api/v1/export?format=parquet`)).arrayBuffer(),
    );
    expect(file.subarray(0, 4).toString()).toBe('PAR1');
    for (const end of [4, 8, file.length >> 1, file.length - 1]) {
      const answer = await post('application/vnd.apache.parquet', file.subarray(0, end));
      expect(answer).toMatchObject({ ...isProblem, status: 400, body: { code: 'bad_request' } });
      expect(JSON.stringify(answer.body)).not.toContain(folder);
    }
    expect(await post('application/vnd.apache.parquet', file)).toMatchObject({
      status: 200,
      body: { accepted: 1 },
    });
    const told = await fetch(`${platform.httpUrl}/api/v1/import?format=parquet`, {
      method: 'POST',
      headers: { accept: 'application/x-ndjson' },
      body: file.subarray(0, file.length - 1),
    });
    expect(told.status).toBe(200);
    const lines = (await told.text()).trim().split('\n');
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ event: 'failed', status: 400, code: 'bad_request' });
    expect(await readdir(join(folder, 'data', 'transfers'))).toEqual([]);
  });

  it.each(['text/csv', 'text/plain'])('ends a line of 1 GB of %s', { timeout: 60_000 }, async (type) => {
    const piece = Buffer.alloc(1024 * 1024, 'x');
    let given = 0;
    const body = new ReadableStream<Uint8Array>({
      start: (stream) => stream.enqueue(Buffer.from(type === 'text/csv' ? header : 'm f="')),
      pull: (stream) => {
        given += 1;
        if (given > 1024) stream.close();
        else stream.enqueue(piece);
      },
    });
    // Who is answered before the end of what it sends may meet a closed connection.
    const answer = await post(type, body).catch(() => undefined);
    if (answer !== undefined)
      expect(answer).toMatchObject({ ...isProblem, status: 413, body: { code: 'payload_too_large' } });
    expect(given).toBeLessThan(200);
    expect((await fetch(`${platform.httpUrl}/ready`)).status).toBe(200);
  });

  it('stores the good rows around bad ones, which are named and kept; mended, one is stored too', async () => {
    const row = (time: string, value: string) => `${time},m,,,"{""k"":""v""}",f,float,${value}\r\n`;
    const good = row('2026-05-01T12:00:00.000000001Z', '1');
    const body = `${header}${good}${row('2026-05-01T12:00:01Z', 'warm')}${row('1969-01-01T00:00:00Z', '2')}`;
    const answer = await post('text/csv', body, '?firstRow=11');
    expect(answer).toMatchObject({
      status: 200,
      body: {
        accepted: 1,
        refused: 2,
        rows: 3,
        rejected: [
          { row: 12, code: 'wrong_type', detail: 'row 12: value is not of type float: "warm"' },
          { row: 13, code: 'time_out_of_range', detail: expect.stringContaining('row 13: ') },
        ],
      },
    });
    const items = await quarantined(platform);
    expect(items.map(({ reason, text }) => [reason, text])).toEqual(
      [
        ['wrong_type', row('2026-05-01T12:00:01Z', 'warm').trimEnd()],
        [
          'time_out_of_range',
          encodeExactLine({
            measurement: 'm',
            tags: [['k', 'v']],
            fields: [['f', 2]],
            timeNs: -31_536_000_000_000_000n,
          }),
        ],
      ].sort(),
    );
    const wrong = items.find(({ reason }) => reason === 'wrong_type')!;
    const replayed = await fetch(`${platform.httpUrl}/api/v1/quarantine/${wrong.id}/replay`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ payload: Buffer.from('m,k=v f=3 1777636801000000000').toString('base64') }),
    });
    expect(await replayed.json()).toMatchObject({ replayed: 1 });
    const stored = (await everything(platform)).filter((line) => line.startsWith('m,'));
    expect(stored).toEqual(['m,k=v f=1 1777636800000000001', 'm,k=v f=3 1777636801000000000']);
  });

  it("refuses the platform's own measurements and leaves them out of an export", async () => {
    const answer = await post('text/plain', 'quality,sensor=a,check=late count=1 1777636801000000000\n');
    expect(answer).toMatchObject({
      ...isProblem,
      status: 422,
      body: { code: 'nothing_accepted', refused: 1, rejected: [{ row: 1, code: 'reserved_measurement' }] },
    });
  });

  it('an import of a file that is not there, or of no format, says so', async () => {
    const url = ['--url', platform.httpUrl];
    expect(await runTidemark(['import', join(folder, 'none.csv'), ...url])).toMatchObject({ code: 1 });
    await writeFile(join(folder, 'some.dat'), '');
    const { code, stderr } = await runTidemark(['import', join(folder, 'some.dat'), ...url]);
    expect(code).toBe(1);
    expect(stderr).toContain('--format');
  });

  it('leaves no half file behind', async () => {
    const file = join(folder, 'never.csv');
    const { code } = await runTidemark(['export', file, '--url', 'http://127.0.0.1:1']);
    expect(code).toBe(1);
    expect(await readdir(folder)).not.toContain('never.csv');
    expect(await readdir(folder)).not.toContain('never.csv.part');
  });
});

async function postReading(platform: PlatformProcess, reading: Record<string, unknown>): Promise<void> {
  const response = await fetch(`${platform.httpUrl}/api/v1/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(reading),
  });
  expect(response.status).toBe(200);
}

async function quarantined(
  platform: PlatformProcess,
): Promise<{ id: string; reason: string; text: string }[]> {
  const response = await fetch(`${platform.httpUrl}/api/v1/quarantine?source=import`);
  const { items } = (await response.json()) as { items: { id: string; reason: string; payload: string }[] };
  return items
    .map(({ id, reason, payload }) => ({ id, reason, text: Buffer.from(payload, 'base64').toString() }))
    .sort((one, other) => (one.reason < other.reason ? -1 : 1));
}

/** Every value as a line of its own, sorted. */
async function everything(platform: PlatformProcess): Promise<string[]> {
  const response = await fetch(`${platform.httpUrl}/api/v1/export?format=line`);
  expect(response.headers.get('tidemark-lag-ms')).toBeNull();
  const text = await response.text();
  const comments = text.split('\n').filter((line) => line.startsWith('#tidemark {"measurement"'));
  const lines = parseLines(text).flatMap((line) => {
    if (!('point' in line)) throw new Error(`${line.line}: ${line.problem}`);
    return line.point.fields.map((field) => encodeExactLine({ ...line.point, fields: [field] }));
  });
  return [...lines, ...comments].sort();
}
