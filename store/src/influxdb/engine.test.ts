import { afterAll, beforeAll, describe } from 'vitest';
import { engineContract } from '../../testing/engine-contract.ts';
import { findInfluxd, type Influxd, startInfluxd } from '../../testing/influxd.ts';
import { requireTool } from '../../testing/require-tool.ts';
import { InfluxEngine } from './engine.ts';

const binary = findInfluxd();

describe.skipIf(!requireTool('influxd', binary))('with influxd', () => {
  let influxd: Influxd | undefined;
  let buckets = 0;

  beforeAll(async () => {
    influxd = await startInfluxd(binary!);
  }, 60_000);
  afterAll(async () => influxd?.stop());

  engineContract('InfluxEngine', {
    open: async ({ typePolicy }) => {
      const { url, token, org, createBucket } = influxd!;
      const bucket = `contract ${buckets++}`;
      await createBucket(bucket);
      const create = async () => {
        const engine = new InfluxEngine({
          influx: { url, token, org, bucket, timeoutMs: 30_000 },
          typePolicy,
        });
        await engine.start();
        return engine;
      };
      let engine = await create();
      return {
        engine,
        reopen: async () => {
          await engine.stop();
          engine = await create();
          return engine;
        },
        close: () => engine.stop(),
      };
    },
  });
});
