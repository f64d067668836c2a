import { findInfluxd, requireTool, startInfluxd } from '@tidemark/store/testing';
import type { Bench } from './bench.ts';

/** A store to run the platform on. */
export interface StoreUnderTest {
  name: 'embedded' | 'influxdb';
  /** The settings for a store that is empty when `use` is new. */
  env(use: string): Promise<Record<string, string>>;
}

/** Both stores; without InfluxDB where the machine has none, unless `CI=true`. Its server ends with the bench. */
export async function bothStores(bench: Bench): Promise<StoreUnderTest[]> {
  const embedded: StoreUnderTest = { name: 'embedded', env: async () => ({}) };
  const binary = findInfluxd();
  if (binary === undefined || !requireTool('influxd', binary)) return [embedded];
  const server = await startInfluxd(binary);
  bench.defer(() => server.stop());
  const { url, token, org } = server;
  const buckets = new Set<string>();
  const env = async (use: string) => {
    if (!buckets.has(use)) await server.createBucket(use);
    buckets.add(use);
    return {
      TIDEMARK_STORE: 'influxdb',
      INFLUX_URL: url,
      INFLUX_TOKEN: token,
      INFLUX_ORG: org,
      INFLUX_BUCKET: use,
    };
  };
  return [embedded, { name: 'influxdb', env }];
}
