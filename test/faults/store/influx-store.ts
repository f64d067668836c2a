import { findInfluxd, type Influxd, startInfluxd } from '@tidemark/store/testing';
import type { Bench } from '../bench.ts';
import { StoreGate } from './store-gate.ts';

/** An InfluxDB of the case's own behind a gate, and the settings of a platform that writes to it. */
export interface InfluxStore {
  influxd: Influxd;
  gate: StoreGate;
  /** Lets the server refuse the platform's token, and take it again. */
  setTokenActive(isActive: boolean): Promise<void>;
  env: Record<string, string>;
}

export const needsInfluxd = { name: 'influxd', find: findInfluxd };

/** Starts one; it ends with the bench. */
export async function startInfluxStore(bench: Bench): Promise<InfluxStore> {
  const influxd = await startInfluxd(findInfluxd()!);
  bench.defer(() => influxd.stop());
  const gate = await StoreGate.open(influxd.url);
  bench.defer(() => gate.close());
  const { token, setActive } = await influxd.createToken();
  const env = {
    TIDEMARK_STORE: 'influxdb',
    INFLUX_URL: gate.url,
    INFLUX_TOKEN: token,
    INFLUX_ORG: influxd.org,
    INFLUX_BUCKET: influxd.bucket,
  };
  return { influxd, gate, setTokenActive: setActive, env };
}
