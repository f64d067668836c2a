import { askStore, type Store } from '@tidemark/grafana/testing';
import { vi } from 'vitest';

/** Ids that a query must not trip over: quotes, dots, spaces, backslashes, what regular expressions mean, any script. */
export const awkwardSensors = [
  `it's "quoted"`,
  'a.b c|d',
  'back\\slash',
  'größe 🌡 (°C) [x]{1}$',
  "' OR 1=1; DROP MEASUREMENT readings --",
];
/** A metric that one of them alone has. */
export const awkwardMetric = `it's "CO₂" a\\b [ppm]. (x)$`;
export const plainSensors = ['greenhouse-1', 'greenhouse-2', 'greenhouse-3'];
const hourMs = 3_600_000;

/** Moves the wall clock of this process; durations go on as they do. */
function shiftClock(shiftMs: number): void {
  const realNow = performance.timeOrigin;
  vi.spyOn(Date, 'now').mockImplementation(() => Math.round(realNow + performance.now() + shiftMs));
}

/**
 * What the demo has after a week: sensors at a place with coordinates, readings of the last hours and of a week
 * before, a rule that fired, was acknowledged and resolved, what was refused, and what failed a check, travellers, a service that is up and one that is down. Then a minute
 * goes by, so that the platform writes its own measurements.
 */
export async function fill(
  httpUrl: string,
  store: Store,
  sensors: readonly string[] = [...plainSensors, ...awkwardSensors],
): Promise<void> {
  // Before the platform first looks who reports: to it, this one has not been heard of for ten minutes.
  shiftClock(-730_000);
  await send(httpUrl, 'POST', 'sensors', { id: 'asleep', expectedInterval: '1m' });
  shiftClock(-130_000);
  await send(httpUrl, 'POST', 'locations', { id: 'hall', name: 'Hall', latitude: 52.5, longitude: 13.4 });
  await send(httpUrl, 'POST', 'locations', { id: 'yard', name: 'Yard', latitude: 52.51, longitude: 13.43 });
  for (const [index, id] of sensors.entries())
    await send(httpUrl, 'POST', 'sensors', {
      id,
      location: index % 3 === 2 ? 'yard' : 'hall',
      expectedInterval: '1m',
      metrics: { temperature: { max: 60 } },
    });
  for (const [id, condition] of [
    ['hot', { above: 30 }],
    ['odd', { outside: [0, 35] }],
  ] as const)
    await send(httpUrl, 'POST', 'rules?unknownMetric=allow', { id, metric: 'temperature', ...condition });
  const nowMs = Date.now();
  const readings = sensors.flatMap((sensor, index) =>
    [7 * 24 * hourMs, 0].flatMap((backMs) =>
      Array.from({ length: 60 }, (_, step) => ({
        sensor,
        time: nowMs - backMs - hourMs + step * 60_000,
        temperature: 20 + index + Math.sin(step / 9),
        humidity: 50 + index,
        pressure: 1010 + index,
        state: step % 2 === 0 ? 'open' : 'shut',
      })),
    ),
  );
  await send(httpUrl, 'POST', 'readings', readings.slice(0, 500));
  await send(httpUrl, 'POST', 'readings', readings.slice(500));
  const isAwkward = sensors.some((sensor) => awkwardSensors.includes(sensor));
  await send(httpUrl, 'POST', 'readings', [
    { sensor: 'greenhouse-1', [isAwkward ? awkwardMetric : 'co2']: 400 },
    { sensor: 'greenhouse-3', voltage: 3.1 },
  ]);
  const hot = (sensor: string, temperature: number) => ({ sensor, temperature });
  await send(httpUrl, 'POST', 'readings', [hot('greenhouse-1', 40), hot('greenhouse-2', 33)]);
  await untilAlerts(httpUrl, 3);
  await send(httpUrl, 'POST', 'alerts/hot:greenhouse-1/ack', { by: 'ann', comment: 'on my way' });
  await send(httpUrl, 'POST', 'readings', [hot('greenhouse-2', 21)]);
  await untilAlerts(httpUrl, 2);
  // Refused, out of its range, told twice, and late.
  await fetch(`${httpUrl}/api/v1/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify([{ sensor: 'greenhouse-3', temperature: null }]),
  });
  const twice = { sensor: 'greenhouse-3', time: nowMs - 7_000_000, temperature: 70 };
  await send(httpUrl, 'POST', 'readings', [twice]);
  await send(httpUrl, 'POST', 'readings', [twice]);
  await seeTravellers(httpUrl, store.database, { isAwkward, fromMs: nowMs - hourMs / 2 });
  await send(httpUrl, 'POST', 'heartbeats', { service: 'billing', latencyMs: 12 });
  // Silent from here on, it is down.
  await send(httpUrl, 'POST', 'heartbeats', { service: 'mailer', timeoutMs: 1000 });
  await untilAlerts(httpUrl, 3);
  shiftClock(-65_000);
  await untilWritten(store, 1);
  shiftClock(-1000);
  await untilWritten(store, 2);
}

export const awkwardCamera = `it's "far"`;
export const awkwardType = 'car "fast"';

/** Somebody of each type passes two cameras, one after the other. */
async function seeTravellers(
  httpUrl: string,
  database: string,
  { isAwkward, fromMs }: { isAwkward: boolean; fromMs: number },
): Promise<void> {
  const cameras = ['gate', isAwkward ? awkwardCamera : 'bridge'];
  const speeds = { pedestrian: 1.4, cyclist: 5, [isAwkward ? awkwardType : 'car']: 12 };
  const lines = cameras.flatMap((camera, away) =>
    Object.entries(speeds).flatMap(([type, speed], index) =>
      Array.from({ length: 20 }, (_, step) => {
        const timeMs = fromMs + (away * 300 + index * 60 + step * 15) * 1000;
        const tags = `sensor=${escaped(camera)},type=${escaped(type)}`;
        return `travellers,${tags} traveller="t${index}",x=${speed * step * 15},y=${index} ${timeMs}000000`;
      }),
    ),
  );
  const response = await fetch(`${httpUrl}/write?db=${encodeURIComponent(database)}`, {
    method: 'POST',
    body: lines.join('\n'),
  });
  if (!response.ok) throw new Error(`travellers: ${response.status} ${await response.text()}`);
}

function escaped(tag: string): string {
  return tag.replaceAll(/[ ,=]/g, '\\$&');
}

async function send(httpUrl: string, method: string, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${httpUrl}/api/v1/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
}

async function untilAlerts(httpUrl: string, count: number): Promise<void> {
  await vi.waitFor(
    async () => {
      const { items } = await get(httpUrl, '/api/v1/alerts');
      const fires = items.filter(({ state }) => state === 'firing' || state === 'acknowledged').length;
      if (fires !== count) throw new Error(`${fires} alerts, not ${count}`);
    },
    { timeout: 20_000, interval: 100 },
  );
}

/** Until the platform's own measurements of `minutes` minutes are in the store, and the metrics of sensors. */
async function untilWritten(store: Store, minutes: number): Promise<void> {
  const least = { sensor_state: minutes, rule_thresholds: minutes, sensor_metrics: 1, travellers: 57 };
  const of = (name: string) =>
    `SELECT count(/^(up|upper|known|speed)$/) FROM "${name}" WHERE "sensor" =~ /^(greenhouse-1|gate)$/ GROUP BY "rule", "metric"`;
  await vi.waitFor(
    async () => {
      for (const [name, points] of Object.entries(least)) {
        const [series] = await askStore(store, of(name));
        const count = Number(series?.values[0]?.[1] ?? 0);
        if (count < points) throw new Error(`${name} has ${count} points`);
      }
    },
    { timeout: 60_000, interval: 500 },
  );
}

async function get(httpUrl: string, path: string): Promise<{ items: { state: string }[] }> {
  const response = await fetch(httpUrl + path);
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${text}`);
  return JSON.parse(text) as { items: { state: string }[] };
}
