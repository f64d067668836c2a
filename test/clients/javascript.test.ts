import { createRequire } from 'node:module';
import {
  HttpError,
  InfluxDB,
  Point,
  type WriteOptions,
  type WritePrecisionType,
} from '@influxdata/influxdb-client';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { startPlatformWithToken } from '../support/platform-with-token.ts';

const second = 1_699_999_200; // a whole hour
const time = '2023-11-14T22:00:00Z';
const bodyOf = (sensor: string, value: number): Point =>
  new Point('readings').tag('sensor', sensor).floatField('value', value);

describe('@influxdata/influxdb-client', () => {
  it('writes: each precision, gzip, and text to escape', async () => {
    const { url, token, readings } = await start();
    const client = new InfluxDB({ url, token });
    const perSecond = { ns: 1e9, us: 1e6, ms: 1e3, s: 1 };
    for (const [precision, factor] of Object.entries(perSecond)) {
      const api = client.getWriteApi('any', 'tidemark', precision as WritePrecisionType, {
        gzipThreshold: 1,
      });
      api.writePoint(bodyOf(precision, 0.1).timestamp(String(BigInt(second) * BigInt(factor))));
      await api.close();
    }
    const api = client.getWriteApi('any', 'tidemark');
    api.writePoint(bodyOf('a b,c=d', 21.5).stringField('text', 'said "hi", \\ and\nleft').timestamp('1'));
    await api.close();
    expect(await readings()).toEqual([
      {
        sensor: 'a b,c=d',
        time: '1970-01-01T00:00:00.000000001Z',
        value: 21.5,
        text: 'said "hi", \\ and\nleft',
      },
      ...['ms', 'ns', 's', 'us'].map((sensor) => ({ sensor, time, value: 0.1 })),
    ]);
  });

  it('writes in batches in the background', async () => {
    const { url, token, readings } = await start();
    const api = new InfluxDB({ url, token }).getWriteApi('any', 'tidemark', 'ns', { batchSize: 500 });
    for (let n = 0; n < 2750; n++) {
      api.writePoint(bodyOf('batch', n / 8).timestamp(String(BigInt(second) * 1_000_000_000n + BigInt(n))));
    }
    await api.close();
    const values = (await readings()).map(({ value }) => value);
    expect(values).toEqual(Array.from({ length: 2750 }, (_, n) => n / 8));
  });

  it('says why it was refused', async () => {
    const { url, token, readings } = await start();
    const refusalOf = async (line: string, { bucket = 'tidemark', shown = token }): Promise<unknown> => {
      const refusals: unknown[] = [];
      const options: Partial<WriteOptions> = {
        maxRetries: 0,
        writeFailed: (error) => {
          const { statusCode, message } = error as HttpError;
          refusals.push([error instanceof HttpError, statusCode, message]);
          return Promise.resolve();
        },
      };
      const api = new InfluxDB({ url, token: shown }).getWriteApi('any', bucket, 'ns', options);
      api.writeRecord(line);
      await api.close();
      return refusals;
    };
    const good = 'readings,sensor=kept value=1 1';
    expect(await refusalOf(`${good}\nreadings,sensor=kept value=`, {})).toEqual([
      [
        true,
        400,
        expect.stringContaining("partial write: line 2: unable to parse 'readings,sensor=kept value='"),
      ],
    ]);
    expect(await refusalOf(good, { bucket: 'other' })).toEqual([
      [true, 404, expect.stringContaining('bucket "other" not found; there is "tidemark"')],
    ]);
    expect(await refusalOf(good, { shown: 'wrong' })).toEqual([
      [true, 401, expect.stringContaining('API token')],
    ]);
    expect(await readings()).toMatchObject([{ sensor: 'kept', value: 1 }]);
  });
});

/** What the tests use of the package influx, whose folder `INFLUX_JS` names. */
interface InfluxV1 {
  ping(timeoutMs: number): Promise<{ online: boolean; version: string }[]>;
  writePoints(
    points: InfluxV1Point[],
    options?: { precision?: string; retentionPolicy?: string },
  ): Promise<void>;
  query(text: string, options?: QueryOptions): Promise<Record<string, unknown>[]>;
  getDatabaseNames(): Promise<string[]>;
  getMeasurements(): Promise<string[]>;
}
interface QueryOptions {
  /** Values by the names that the query has for them behind `$`. */
  placeholders?: Record<string, string | number>;
  method?: 'GET' | 'POST';
}
interface InfluxV1Point {
  measurement: string;
  tags?: Record<string, string>;
  fields: Record<string, number | string | boolean>;
  timestamp?: number | string | Date;
}
interface InfluxV1Package {
  InfluxDB: new (options: {
    host: string;
    port: number;
    username: string;
    password: string;
    database: string;
  }) => InfluxV1;
}

const influxFolder = process.env.INFLUX_JS;

describe.skipIf(!requireTool('INFLUX_JS', influxFolder))('influx, for InfluxDB 1', () => {
  it('finds the server and writes: each precision, and text to escape', async () => {
    const { connect, readings } = await startForV1();
    const client = connect();
    expect(await client.ping(10_000)).toMatchObject([
      { online: true, version: expect.stringMatching(/^1\.8\.10-tidemark\./) },
    ]);
    const units = { n: 1e9, u: 1e6, ms: 1e3, s: 1, m: 1 / 60, h: 1 / 3600 };
    for (const [precision, factor] of Object.entries(units)) {
      const timestamp = factor === 1e9 ? `${second}000000000` : second * factor;
      const point = {
        measurement: 'readings',
        tags: { sensor: precision },
        fields: { value: 0.1 },
        timestamp,
      };
      await client.writePoints([point], { precision, retentionPolicy: 'autogen' });
    }
    const tags = { sensor: 'a b,c=d' };
    const fields = { value: 21.5, text: 'said "hi", \\ and left' };
    await client.writePoints([{ measurement: 'readings', tags, fields, timestamp: new Date(second * 1000) }]);
    expect(await readings()).toEqual([
      { sensor: 'a b,c=d', time, value: 21.5, text: 'said "hi", \\ and left' },
      ...['h', 'm', 'ms', 'n', 's', 'u'].map((sensor) => ({ sensor, time, value: 0.1 })),
    ]);
  });

  it('reads what it wrote', async () => {
    const { connect } = await startForV1();
    const client = connect();
    const points = [1, 2, 3].map((value) => ({
      measurement: 'readings',
      tags: { sensor: 'read' },
      fields: { value, text: 'said "hi"' },
      timestamp: `${second + value}000000001`,
    }));
    await client.writePoints(points);
    expect(await client.getDatabaseNames()).toEqual(['tidemark']);
    expect(await client.getMeasurements()).toEqual(['readings']);
    const rows = await client.query('SELECT value, sensor FROM readings WHERE value > 1');
    expect(rows.map(({ value, sensor }) => [value, sensor])).toEqual([
      [2, 'read'],
      [3, 'read'],
    ]);
    const asked = { placeholders: { sensor: 'read', least: 2 } };
    for (const method of ['GET', 'POST'] as const) {
      const text = 'SELECT value FROM readings WHERE sensor = $sensor AND value > $least';
      const bound = await client.query(text, { ...asked, method });
      expect(bound.map(({ value }) => value)).toEqual([3]);
    }
    const [highest] = await client.query('SELECT max(value) FROM readings GROUP BY sensor');
    expect(highest).toMatchObject({ max: 3, sensor: 'read' });
    await expect(client.query('SELECT nosuch(value) FROM readings')).rejects.toThrow(
      'undefined function nosuch()',
    );
  });

  it('says why it was refused', async () => {
    const { connect, readings } = await startForV1();
    const points = [1, 2].map((value) => ({
      measurement: 'readings',
      tags: { sensor: 'kept' },
      fields: { value },
      timestamp: value === 1 ? '1' : '99999999999999999999',
    }));
    await expect(connect().writePoints(points)).rejects.toThrow('partial write: line 2: unable to parse');
    await expect(connect({ database: 'other' }).writePoints(points)).rejects.toThrow('database not found');
    await expect(connect({ password: 'wrong' }).writePoints(points)).rejects.toThrow('API token');
    expect(await readings()).toMatchObject([{ sensor: 'kept', value: 1 }]);
  });
});

async function startForV1() {
  const { url, token, readings } = await start();
  const { hostname: host, port } = new URL(url);
  const { InfluxDB: InfluxV1 } = createRequire(import.meta.url)(influxFolder!) as InfluxV1Package;
  const server = { host, port: Number(port), username: 'any', password: token, database: 'tidemark' };
  return { readings, connect: (wrong: Partial<typeof server> = {}) => new InfluxV1({ ...server, ...wrong }) };
}

/** A platform that asks for its token. */
async function start() {
  const { platform, created } = await startPlatformWithToken();
  const { token } = created.token;
  return {
    url: platform.httpUrl,
    token,
    readings: async () =>
      (await allReadings(platform.httpUrl, '', token)).map(({ id, location, ...reading }) => reading),
  };
}
