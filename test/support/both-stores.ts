import { findInfluxd, type Influxd, requireTool, startInfluxd } from '@tidemark/store/testing';
import { afterAll, beforeAll, describe } from 'vitest';

/** The settings of a store that holds nothing yet, as environment variables; each call gives another store. */
export type NewStore = () => Promise<Record<string, string>>;

/** Registers the tests of a journey twice: on the embedded store, and on InfluxDB where there is one. */
export function onBothStores(journey: (newStore: NewStore) => void): void {
  describe('on the embedded store', () => journey(async () => ({ TIDEMARK_STORE: 'embedded' })));

  const binary = findInfluxd();
  describe.skipIf(!requireTool('influxd', binary))('on InfluxDB', () => {
    let influxd: Influxd | undefined;
    let buckets = 0;

    beforeAll(async () => {
      influxd = await startInfluxd(binary!);
    }, 60_000);
    afterAll(() => influxd?.stop());

    journey(async () => {
      const { url, token, org, createBucket } = influxd!;
      const bucket = `journey-${buckets++}`;
      await createBucket(bucket);
      return {
        TIDEMARK_STORE: 'influxdb',
        INFLUX_URL: url,
        INFLUX_TOKEN: token,
        INFLUX_ORG: org,
        INFLUX_BUCKET: bucket,
      };
    });
  });
}
