// node dashboards-load.ts DATA_DIR END_MS STEP_S: writes 30 days of readings of 200 sensors, and what the platform
// would have written of them each minute, into a store of its own. Prints one JSON object.
import { createMetrics, loadConfig, PointColumns, silentLogger, systemClock, type Tag } from '@tidemark/core';
import { openEngine } from '@tidemark/store';
import { DAYS, SENSORS } from './dashboards.ts';

const BATCH = 50_000;
const DAY_S = 86_400;
const PLACES = 10;
const inPlace = SENSORS / PLACES;
const placeState = [
  ['sensors', inPlace],
  ['up', inPlace],
  ['readings', inPlace * 6],
] as const;
const beat = [
  ['latency_ms', 12],
  ['up', 1],
] as const;
const PROGRESS_POINTS = 10_000_000;

const [dataDir, endMs, stepS] = process.argv.slice(2) as [string, string, string];
process.stdout.write(`${JSON.stringify(await fill(Number(endMs), Number(stepS)))}\n`);

async function fill(endMs: number, stepS: number): Promise<{ points: number; seconds: number }> {
  const shared = { clock: systemClock, logger: silentLogger, metrics: createMetrics() };
  const engine = await openEngine({ config: loadConfig({ overrides: { dataDir } }), ...shared });
  await engine.start();
  const startMs = performance.now();
  const tags = Array.from({ length: SENSORS }, (_, n): readonly Tag[] =>
    Object.freeze([['location', `hall-${n % PLACES}`] as const, ['sensor', `sensor-${n}`] as const]),
  );
  let batch = new PointColumns();
  let points = 0;
  const firstS = Math.floor(endMs / 1000) - DAYS * DAY_S;
  for (let second = 0; second <= DAYS * DAY_S; second += stepS) {
    const timeNs = BigInt(firstS + second) * 1_000_000_000n;
    const isMinute = second % 60 < stepS;
    for (const [n, sensorTags] of tags.entries()) {
      const temperature = 20 + ((n * 7 + second / stepS) % 997) / 100;
      batch.push({
        measurement: 'readings',
        tags: sensorTags,
        fields: [['temperature', temperature]],
        timeNs,
      });
      if (isMinute) batch.push({ measurement: 'sensor_state', tags: sensorTags, fields: stateOf(n), timeNs });
    }
    for (let n = 0; isMinute && n < PLACES; n++) {
      const tags: Tag[] = [['location', `hall-${n}`]];
      batch.push({ measurement: 'location_state', tags, fields: placeState, timeNs });
      batch.push({ measurement: 'heartbeats', tags: [['service', `service-${n}`]], fields: beat, timeNs });
    }
    points += SENSORS;
    if (batch.length < BATCH) continue;
    await engine.write(batch);
    batch = new PointColumns();
    if (points % PROGRESS_POINTS < BATCH) process.stderr.write(`  ${Math.round(points / 1e6)} M readings\n`);
  }
  await engine.write(batch);
  await engine.stop();
  return { points, seconds: (performance.now() - startMs) / 1000 };
}

function stateOf(n: number) {
  return [
    ['lat', 52 + n / 1000],
    ['lon', 13 + n / 1000],
    ['last_seen_s', n % 11],
    ['expected_interval_s', 10],
    ['up', 1],
  ] as const;
}
