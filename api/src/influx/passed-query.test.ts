import { loadConfig } from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import { findInfluxd, type Influxd, requireTool, startEngine, startInfluxd } from '@tidemark/store/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

const binary = findInfluxd();

describe.skipIf(!requireTool('influxd', binary))('/query with InfluxDB behind', () => {
  let influxd: Influxd;
  let platform: Awaited<ReturnType<typeof startTestPlatform>>;
  let engine: Engine;

  beforeAll(async () => {
    influxd = await startInfluxd(binary!);
    await influxd.createBucket('secret');
    const { url, token, org, bucket } = influxd;
    const overrides = {
      'store.kind': 'influxdb',
      'influx.url': url,
      'influx.token': token,
      'influx.org': org,
      'influx.bucket': bucket,
    };
    const config = loadConfig({ overrides });
    engine = await startEngine(config);
    const tags = [['host', 'a']] as const;
    await engine.write([
      { measurement: 'cpu', tags, fields: [['v', 1.5]], timeNs: 1_600_000_000_000_000_000n },
    ]);
    platform = await startTestPlatform({ engine, config });
  });

  afterAll(async () => {
    await platform?.stop();
    await influxd?.stop();
  });

  async function get(parameters: Record<string, string>, headers: Record<string, string> = {}) {
    const response = await platform.app.request(`/query?${new URLSearchParams(parameters)}`, { headers });
    return { status: response.status, text: await response.text() };
  }

  it('passes SELECT and SHOW on, and the answer back as it came', async () => {
    expect(await get({ db: 'tidemark', q: 'SELECT v FROM cpu', epoch: 'ns' })).toEqual({
      status: 200,
      text: '{"results":[{"statement_id":0,"series":[{"name":"cpu","columns":["time","v"],"values":[[1600000000000000000,1.5]]}]}]}\n',
    });
    expect((await get({ db: 'tidemark', q: 'SHOW TAG VALUES WITH KEY = host' })).text).toContain(
      '["host","a"]',
    );
    const params = '{"host": "a", "least": 1}';
    const bound = { db: 'tidemark', q: 'SELECT v FROM cpu WHERE host = $host AND v > $least', params };
    expect((await get(bound)).text).toContain(',1.5]]');
    const csv = await get({ db: 'tidemark', q: 'SELECT v FROM cpu' }, { accept: 'text/csv' });
    expect(csv.text).toBe('name,tags,time,v\ncpu,,1600000000000000000,1.5\n');
  });

  it.each([
    'DROP MEASUREMENT cpu',
    'DELETE FROM cpu',
    'SELECT v INTO x FROM cpu',
    'CREATE DATABASE x',
    'SHOW USERS',
  ])('does not pass on %s', async (q) => {
    expect((await get({ db: 'tidemark', q })).status).toBe(400);
    expect((await get({ db: 'tidemark', q: 'SELECT v FROM cpu' })).text).toContain('1.5');
  });

  it.each([
    { db: 'secret', q: 'SELECT v FROM cpu' },
    { db: 'tidemark', q: 'SELECT v FROM secret.autogen.cpu' },
    { db: 'tidemark', q: 'SELECT v FROM (SELECT v FROM secret..cpu)' },
    { db: 'tidemark', q: 'SHOW MEASUREMENTS ON secret' },
    { db: 'tidemark', q: 'SHOW TAG KEYS FROM secret..cpu' },
  ])('asks about no other bucket: %o', async (parameters) => {
    expect(await get(parameters)).toMatchObject({
      status: 400,
      text: expect.stringContaining('database not found: secret'),
    });
  });

  it('lists no other bucket', async () => {
    expect((await get({ q: 'SHOW DATABASES' })).text).toContain('"values":[["tidemark"]]');
    expect((await get({ db: 'tidemark', q: 'SHOW DATABASES; SELECT v FROM cpu' })).status).toBe(400);
    expect(await get({ q: 'CREATE DATABASE tidemark' })).toEqual({
      status: 200,
      text: '{"results":[{"statement_id":0}]}\n',
    });
  });

  it('answers 503 while the server is away', async () => {
    await influxd.kill();
    expect(await get({ db: 'tidemark', q: 'SELECT v FROM cpu' })).toMatchObject({
      status: 503,
      text: expect.stringContaining('"code":"unavailable"'),
    });
    await influxd.restart();
  });
});
