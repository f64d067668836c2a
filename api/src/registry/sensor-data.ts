import { type Sensor, TidemarkError } from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import { MAX_TIME_NS, MIN_TIME_NS } from '../query.ts';
import type { Seen } from './sensor-document.ts';

// What the store has of a sensor. The registry answers also while the store cannot be asked.

/** When each of the sensors was seen last, by its id. */
export async function lastSeenOf(engine: Engine, sensors: readonly Sensor[]): Promise<Map<string, bigint>> {
  const lastNs = new Map<string, bigint>();
  if (sensors.length === 0) return lastNs;
  const found = await orElse(engine.latest({ sensors: sensors.map(({ id }) => id) }), []);
  for (const { sensor, timeNs } of found) {
    if (timeNs > (lastNs.get(sensor) ?? MIN_TIME_NS)) lastNs.set(sensor, timeNs);
  }
  return lastNs;
}

/** When the sensor was seen first and last. */
export async function seenOf(engine: Engine, sensor: Sensor): Promise<Seen> {
  const range = { fromNs: MIN_TIME_NS, toNs: MAX_TIME_NS };
  const oldest = engine.readings({ sensors: [sensor.id], ...range, order: 'asc', limit: 1 });
  const [first] = await orElse(oldest, []);
  return { firstNs: first?.timeNs, lastNs: (await lastSeenOf(engine, [sensor])).get(sensor.id) };
}

async function orElse<T>(asked: Promise<T>, fallback: T): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof TidemarkError && error.retryable) return fallback;
    throw error;
  }
}
