import { askJson, escapeName } from '../platform/client.ts';
import type { ReadingJson, SensorState } from './sensors.ts';
import { SPAN_MS } from './series.ts';

interface WindowJson {
  time: string;
  metric: string;
  sensor: string;
  mean: number | null;
}

const stepSeconds = 2;
const oldReadings = 300;

/**
 * Fills the charts of these sensors: the last minutes of those that are active, by windows in one query;
 * the last readings of those that are not.
 */
export async function loadHistory(sensors: readonly SensorState[], nowMs: number): Promise<void> {
  const isActive = ({ lastMs }: SensorState) => Math.abs(nowMs - lastMs) < SPAN_MS;
  const active = sensors.filter(isActive);
  const quiet = sensors.filter((sensor) => !isActive(sensor));
  await Promise.all([loadWindows(active), ...quiet.map(loadReadings)]);
}

async function loadWindows(sensors: readonly SensorState[]): Promise<void> {
  if (sensors.length === 0) return;
  const query = new URLSearchParams({
    from: `now-${SPAN_MS / 1000}s`,
    to: 'now',
    every: `${stepSeconds}s`,
    fn: 'mean',
    by: 'sensor',
  });
  for (const { id } of sensors) query.append('sensor', escapeName(id));
  const { items } = await askJson<{ items: WindowJson[] }>(`/api/v1/windows?${query}`);
  const points = Map.groupBy(items, ({ sensor, metric }) => `${sensor}/${metric}`);
  for (const { id, metrics } of sensors) {
    for (const { name, series } of metrics.values()) {
      const windows = points.get(`${id}/${name}`) ?? [];
      series.addHistory(
        windows.flatMap(({ time, mean }) =>
          mean === null ? [] : [[Date.parse(time) + stepSeconds * 500, mean] as const],
        ),
      );
    }
  }
}

async function loadReadings({ id, metrics }: SensorState): Promise<void> {
  const query = new URLSearchParams({ sensor: escapeName(id), order: 'desc', limit: String(oldReadings) });
  const { items } = await askJson<{ items: ReadingJson[] }>(`/api/v1/readings?${query}`);
  items.reverse();
  for (const { name, series } of metrics.values()) {
    series.addHistory(
      items.flatMap((reading) => {
        const value = reading[name];
        return typeof value === 'number' ? [[Date.parse(reading.time), value] as const] : [];
      }),
    );
  }
}
