import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RecordedRow, Recording } from './recording.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-recording-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function read(text: string, timeColumn?: string) {
  const file = join(folder, 'rows.csv');
  writeFileSync(file, text);
  const recording = new Recording({ file, timeColumn, metric: 'level' });
  const rows: RecordedRow[] = [];
  for await (const row of recording.rows()) rows.push(row);
  return { rows, ignored: recording.ignored, bytesRead: recording.bytesRead };
}

const payloads = async (text: string, timeColumn?: string) =>
  (await read(text, timeColumn)).rows.map((row) => row.payload);

it.each([
  ['2020-01-02 03:04:05', '2020-01-02T03:04:05Z'],
  ['2020-01-02T03:04:05.123456789Z', '2020-01-02T03:04:05.123456789Z'],
  ['2020-01-02T03:04:05+01:00', '2020-01-02T02:04:05Z'],
  ['2020-01-02 03:04', '2020-01-02T03:04:00Z'],
  ['2020-01-02', '2020-01-02T00:00:00Z'],
  ['1577934245', '2020-01-02T03:04:05Z'],
  ['1577934245.5', '2020-01-02T03:04:05.5Z'],
  ['1577934245000', '2020-01-02T03:04:05Z'],
])('reads the time %s', async (text, time) => {
  expect(await payloads(`time,value\n${text},1\n`)).toEqual([`{"level":1,"time":"${time}"}`]);
});

it.each([
  ['21.50', '21.5'],
  ['+9', '9'],
  ['.5', '0.5'],
  ['-0.0', '-0'],
  ['1e21', '1e+21'],
  ['0.30000000000000004', '0.30000000000000004'],
])('sends the number %s as the same double', async (text, json) => {
  expect(await payloads(`ts,value\n0,${text}\n`)).toEqual([
    `{"level":${json},"time":"1970-01-01T00:00:00Z"}`,
  ]);
});

it('takes every column of numbers, and says which it leaves out', async () => {
  const { rows, ignored } = await read('Time;temp;state;rel/hum;__proto__\r\n0;1.5;on;3;4\r\n1;;off;3;5\r\n');
  expect(rows.map((row) => row.payload)).toEqual([
    '{"temp":1.5,"__proto__":4,"time":"1970-01-01T00:00:00Z"}',
    '{"__proto__":5,"time":"1970-01-01T00:00:01Z"}',
  ]);
  expect(ignored).toEqual([
    'state holds no numbers',
    'rel/hum is no name for a metric: it holds a control character or one of / + #',
  ]);
});

it('goes on after each bad row, and tells its line and why', async () => {
  const { rows } = await read(
    'time,a,b\n0,1,2\nnoon,1,2\n1,1\n2,1e400,2\n3,,\n4,x,NaN\n"5"",1,2\n6,7,8\n'.replace('"5""', '5"5'),
  );
  expect(
    rows.map(({ line, payload, faults }) => [line, payload !== undefined, faults.map((f) => f.reason)]),
  ).toEqual(
    expect.arrayContaining([
      [2, true, []],
      [3, false, ['bad_time']],
      [4, false, ['malformed_row']],
      [5, true, ['not_finite']],
      [6, false, ['missing_value']],
      [7, false, ['not_a_number', 'not_a_number']],
      [9, true, []],
    ]),
  );
  expect(rows).toHaveLength(8);
});

it('finds a time column that is named', async () => {
  expect(await payloads('when,value\n0,1\n', 'WHEN')).toHaveLength(1);
});

it.each([
  ['', 'is empty'],
  ['a,b\n1,2\n', 'its columns are "a", "b"; name it with --time'],
  ['time,word\n0,x\n', 'has no column of numbers'],
])('refuses the file %j', async (text, message) => {
  await expect(read(text)).rejects.toMatchObject({
    code: 'bad_request',
    message: expect.stringContaining(message),
  });
});

it('counts the bytes of a file of many chunks', async () => {
  const text = `time,value\n${Array.from({ length: 50_000 }, (_, n) => `${n},${n / 7}`).join('\n')}\n`;
  const { rows, bytesRead } = await read(text);
  expect([rows.length, bytesRead]).toEqual([50_000, text.length]);
});
