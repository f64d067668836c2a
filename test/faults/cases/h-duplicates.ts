import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import { cuttingProxy } from '../cutting-proxy.ts';
import type { FaultCase } from '../fault-case.ts';
import type { Summary } from '../oracle/load.ts';
import { valueFor } from '../oracle/numbers.ts';
import { assertKept } from '../oracle/verify.ts';
import { bothStores, type StoreUnderTest } from '../stores.ts';

const MOST_RUNNING_MS = 1000;
const LEAST_ACKNOWLEDGED = 20;
/** Of a connection, before it is cut. */
const LEAST_LIFE_MS = 300;
const MOST_LIFE_MS = 1500;

export const faultCase: FaultCase = {
  id: 'h',
  title: 'duplicates: resends of readings without a time, lost acknowledgements, a batch written twice',
  criterion: 'Whatever is sent or written twice, the answers are those of one delivery, on both stores.',
  limitSeconds: { short: 180, long: 1800 },
  async run(bench) {
    const totals = { kills: 0, cuts: 0, acknowledged: 0, missing: 0, duplicates: 0, resent: 0 };
    for (const store of await bothStores(bench)) {
      const found = await runOn(bench, store);
      for (const [name, value] of Object.entries(found)) totals[name as keyof typeof totals] += value;
      bench.progress(`${store.name} is done`);
    }
    const { resent, ...counts } = totals;
    return { counts, recorded: { resent } };
  },
};

async function runOn(bench: Bench, store: StoreUnderTest) {
  const dataDir = join(bench.directory, store.name);
  const start = async () => {
    const env = { ...(await store.env('duplicates')), TIDEMARK_SPOOL_SEGMENT_BYTES: '300000' };
    return bench.startPlatform({ dataDir, env });
  };
  const lifeMs = (): number => LEAST_LIFE_MS + bench.random() * (MOST_LIFE_MS - LEAST_LIFE_MS);
  const mqtt = await cuttingProxy(bench, bench.mqttUrl, lifeMs);
  const http = await cuttingProxy(bench, bench.httpUrl, lifeMs);
  // Without a time of its own, a reading that is stored again at another time is a duplicate.
  const loads = [
    {
      protocol: 'mqtt',
      url: mqtt.url,
      qos: 1,
      connections: 3,
      window: 20,
      ratePerSecond: 1000,
      prefix: 'qos1',
    },
    {
      protocol: 'mqtt',
      url: mqtt.url,
      qos: 2,
      connections: 2,
      window: 10,
      ratePerSecond: 200,
      prefix: 'qos2',
    },
    {
      protocol: 'mqtt',
      url: mqtt.url,
      qos: 1,
      connections: 1,
      window: 5,
      batch: 20,
      ratePerSecond: 200,
      prefix: 'many',
    },
    { protocol: 'http', url: http.url, connections: 2, batch: 5, ratePerSecond: 200, prefix: 'http' },
  ] as const;
  const publishers = loads.map((load) => bench.publish({ ...load, time: 'server' }));
  const kills = bench.choose({ short: 3, long: 40 });
  let platform = await start();
  for (let kill = 0; kill < kills; kill++) {
    await Promise.all(publishers.map((publisher) => publisher.untilMore(LEAST_ACKNOWLEDGED)));
    await delay(bench.random() * MOST_RUNNING_MS);
    await platform.end('SIGKILL');
    platform = await start();
    bench.progress(`${store.name}: kill ${kill + 1} of ${kills}`);
  }
  await Promise.all(publishers.map((publisher) => publisher.untilMore(LEAST_ACKNOWLEDGED)));
  const summaries = await Promise.all(publishers.map((publisher) => publisher.stop()));
  const once = await assertOnce(bench, summaries);
  await platform.end('SIGTERM');
  // Without its cursors the whole log is written to the store again.
  await rm(join(dataDir, 'spool', 'cursors.json'));
  platform = await start();
  assert.deepEqual(await assertOnce(bench, summaries), once);
  await platform.end('SIGTERM');
  const resent = summaries.reduce((sum, summary) => sum + summary.resent, 0);
  assert.ok(resent > 0, 'nothing was sent again: the case has shown nothing');
  return { ...once, kills, cuts: mqtt.cuts() + http.cuts(), resent };
}

/** Everything is there once: as readings, and in what windows count and add up. */
async function assertOnce(bench: Bench, summaries: readonly Summary[]) {
  const { acknowledged, stored, missing, duplicates } = await assertKept({
    httpUrl: bench.httpUrl,
    summaries,
  });
  assert.equal(duplicates, 0, `${duplicates} readings are stored at two times`);
  for (const [sensor, sent] of summaries.flatMap(({ sentBy }) => Object.entries(sentBy))) {
    const query = new URLSearchParams({
      sensor,
      metric: 'value',
      from: '0',
      to: 'now+1d',
      every: '3640d',
      fn: 'count,sum',
    });
    const response = await fetch(`${bench.httpUrl}/api/v1/windows?${query}`);
    const { items } = (await response.json()) as { items: { count: number; sum: number }[] };
    const total = (of: 'count' | 'sum'): number => items.reduce((sum, item) => sum + item[of], 0);
    const expected = Array.from({ length: sent }, (_, n) => valueFor(n)).reduce(
      (sum, value) => sum + value,
      0,
    );
    assert.deepEqual(
      { sensor, count: total('count'), sum: total('sum') },
      { sensor, count: sent, sum: expected },
    );
  }
  assert.equal(stored, acknowledged);
  return { acknowledged, missing, duplicates };
}
