import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { startPlatformWithToken } from '../support/platform-with-token.ts';

/** A Python with the packages influxdb (for InfluxDB 1) and influxdb-client (for 2). */
const python = process.env.INFLUX_PYTHON;
const run = promisify(execFile);

describe.skipIf(!requireTool('INFLUX_PYTHON', python))('the Python clients', () => {
  it('of InfluxDB 1 and 2 find the server', async () => {
    const { v1, v2 } = await start();
    const version = expect.stringMatching(/^1\.8\.10-tidemark\./);
    expect(await v1('say_hello')).toEqual({ version });
    expect(await v2('say_hello')).toEqual({ ping: true, version, status: 'pass', name: 'tidemark' });
  });

  it('of InfluxDB 2 writes at once: each precision and kind of record', async () => {
    const { v2, readings } = await start();
    await v2('write_at_once');
    const time = '2023-11-14T22:13:20Z';
    expect(await readings()).toEqual([
      { sensor: 'line', time: '1970-01-01T00:00:00.000000001Z', value: 1 },
      { sensor: 'line', time: '1970-01-01T00:00:00.000000002Z', value: 2 },
      { sensor: 'a b,c=d', time, value: 21.5, text: 'said "hi", \\ and\nleft' },
      { sensor: 'datetime', time, value: 1.5 },
      ...['ms', 'ns', 's', 'us'].map((sensor) => ({ sensor, time, value: 0.1 })),
    ]);
  });

  it('of InfluxDB 2 writes in batches, and in the background', async () => {
    const { v2, readings } = await start();
    expect(await v2('write_batches')).toEqual([]);
    await v2('write_later');
    const values = (await readings('sensor=batch')).map(({ value }) => value);
    expect(values).toEqual(Array.from({ length: 2750 }, (_, n) => n / 8));
    const later = (await readings('sensor=later')).map(({ value }) => value);
    expect(later).toEqual(Array.from({ length: 20 }, (_, n) => n / 8));
  });

  it('of InfluxDB 2 says why it was refused', async () => {
    const { v2, readings } = await start();
    expect(await v2('be_refused')).toEqual({
      line: [
        400,
        expect.stringContaining("partial write: line 2: unable to parse 'readings,sensor=kept value='"),
      ],
      bucket: [404, 'bucket "other" not found; there is "tidemark"'],
      token: [401, expect.stringContaining('API token')],
    });
    expect(await readings()).toMatchObject([{ sensor: 'kept', value: 1 }]);
  });

  it('of InfluxDB 1 writes: each precision and kind of record', async () => {
    const { v1, readings } = await start();
    await v1('write');
    const time = '2023-11-14T22:00:00Z';
    const epoch = '1970-01-01T00:00:00.000000001Z';
    expect(await readings()).toEqual([
      { sensor: 'a b,c=d', time: epoch, value: 21.5, text: 'said "hi", \\ and left' },
      { sensor: 'line', time: epoch, value: 1 },
      { sensor: 'policy', time: epoch, value: 4.5 },
      { sensor: 'line', time: '1970-01-01T00:00:00.000000002Z', value: 2 },
      { sensor: 'datetime', time, value: 2.5 },
      ...['h', 'm', 'ms', 'n', 's'].map((sensor) => ({ sensor, time, value: 1.5 })),
      { sensor: 'text', time, value: 3.5 },
      { sensor: 'u', time, value: 1.5 },
    ]);
  });

  it('of InfluxDB 1 writes in batches', async () => {
    const { v1, readings } = await start();
    await v1('write_batches');
    const values = (await readings('sensor=batch')).map(({ value }) => value);
    expect(values).toEqual(Array.from({ length: 2750 }, (_, n) => n / 8));
  });

  it('of InfluxDB 1 reads what it wrote', async () => {
    const { v1 } = await start();
    const times = Array.from({ length: 5 }, (_, n) => 1_699_999_200_000_000_000n + BigInt(n));
    const answer = (await v1('read')) as Record<string, unknown>;
    expect(answer).toMatchObject({
      databases: [{ name: 'tidemark' }],
      measurements: [{ name: 'readings' }],
      series: ['readings,sensor=a', 'readings,sensor=b'],
      policies: [{ name: 'autogen', default: true }],
      mean: ['a', 'b'].map((sensor) => [{ sensor }, [{ time: 0, mean: 0.25 }]]),
      first: [{ time: '2023-11-14T22:00:00Z', first: 0 }],
      refusal: [400, expect.stringContaining('failed to parse query: found SELEC')],
    });
    expect(answer.pieces).toEqual(times.map((time, n) => ({ time: Number(time), value: n / 8 })));
  });

  it('of InfluxDB 1 asks with values beside the query', async () => {
    const { v1 } = await start();
    const at = (n: number): string => `169999920000000000${n}`;
    const station = "it's süd";
    const row = {
      time: at(3),
      temperature: 0.75,
      count: '9007199254740995',
      isDry: false,
      note: '"3"',
      station,
    };
    expect(await v1('read_with_values')).toEqual({
      GET: [row],
      POST: [row],
      two: [[{ time: at(5), last: 1.25 }], [{ time: '0', count: '6' }]],
      nothing: [],
      missing: [400, 'failed to parse query: missing parameter: least'],
      created: null,
      create: [400, expect.stringContaining('database "other" cannot be created')],
    });
  });

  it('of InfluxDB 1 says why it was refused', async () => {
    const { v1, readings } = await start();
    expect(await v1('be_refused')).toEqual({
      line: [
        400,
        expect.stringContaining("partial write: line 2: unable to parse 'readings,sensor=kept value='"),
      ],
      database: [404, expect.stringContaining('database not found: "other"')],
      token: [401, expect.stringContaining('API token')],
    });
    expect(await readings()).toMatchObject([{ sensor: 'kept', value: 1 }]);
  });
});

/** A platform that asks for its token, and both clients with it: each runs a scenario of its script. */
async function start() {
  const { platform, created } = await startPlatformWithToken();
  const { token } = created.token;
  const { hostname, port } = new URL(platform.httpUrl);
  const ask = async (script: string, args: string[]): Promise<unknown> => {
    const path = fileURLToPath(new URL(script, import.meta.url));
    return JSON.parse((await run(python!, ['-B', path, ...args])).stdout);
  };
  return {
    v1: (scenario: string) => ask('influxdb_v1.py', [hostname, port, token, scenario]),
    v2: (scenario: string) => ask('influxdb_v2.py', [`http://${hostname}:${port}`, token, scenario]),
    readings: async (query = '') =>
      (await allReadings(platform.httpUrl, query, token)).map(({ id, location, ...reading }) => reading),
  };
}
