import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Crowd, type CrowdPosition } from '@tidemark/cli';
import { type Field, formatTime, loadConfig, type Point, type Tag, TRAVELLERS } from '@tidemark/core';
import { startEngine } from '@tidemark/store/testing';
import { type Child, cpuSecondsOf, peakMemoryMiBOf, runToEnd, startTidemark, tidemark } from './process.ts';
import { median, type Row } from './table.ts';

const CAMERAS = 50;
const TRAVELLERS_PER_HOUR = 20_000;
const FRAME_MS = 4000;
const ROUNDS = 9;
const BATCH_POINTS = 20_000;
const DAY_MS = 86_400_000;
/** The day up to the last half hour: the platform works out ahead what was of late. */
const startMs = Math.floor(Date.now() / 1_800_000) * 1_800_000 - DAY_MS;

/** Positions by MQTT until windows count them, and windows over a day of 50 cameras. */
export async function travellers(): Promise<Row[]> {
  return [...(await positionsToWindows()), ...(await windowsOfDay())];
}

interface Simulated {
  positions: number;
  published: number;
}

/** An hour of travellers as cameras send it, some of it late and some of it twice, by one connection. */
async function positionsToWindows(): Promise<Row[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const server = await startTidemark(dataDir);
  try {
    const pid = server.process.pid!;
    const beganMs = performance.now();
    const { positions, published } = await runToEnd<Simulated>([
      ...[tidemark, 'simulate', 'travellers', '--json', '--url', String(server.ready.mqttUrl)],
      ...['--hours', '1', '--cameras', String(CAMERAS), '--travellers', String(TRAVELLERS_PER_HOUR)],
      ...['--rate', '1000000', '--in-flight', '2000'],
    ]);
    await untilCaughtUp(server);
    const seconds = (performance.now() - beganMs) / 1000;
    return [
      {
        what: 'travellers: positions by MQTT, with their speeds, to queryable',
        figure: `${Math.round(positions / seconds).toLocaleString('en')} positions/s`,
        note: `${positions.toLocaleString('en')} in ${published.toLocaleString('en')} messages of QoS 1 on one connection, ${((cpuSecondsOf(pid) / positions) * 1e6).toFixed(1)} µs CPU each; peak memory ${Math.round(peakMemoryMiBOf(pid))} MiB; target: 30 000/s`,
      },
    ];
  } finally {
    await server.stop();
    await rm(dataDir, { recursive: true });
  }
}

/** A query waits for what was acknowledged before it; it says when it has not waited long enough. */
async function untilCaughtUp({ ready }: Child): Promise<void> {
  for (;;) {
    const response = await fetch(`${ready.httpUrl}/api/v1/travellers/windows?sensor=none&every=1h`);
    await response.body?.cancel();
    if (response.headers.get('tidemark-lag-ms') === null) return;
  }
}

const questions: readonly (readonly [what: string, query: string])[] = [
  ['all cameras and types by hour', 'every=1h'],
  ['all cameras and types by 15 minutes', 'every=15m'],
  ['one camera by minute', 'every=1m&sensor=camera-7'],
  ['one camera, five minutes each minute', 'every=1m&window=5m&sensor=camera-7'],
  ['cyclists at all cameras by 15 minutes', 'every=15m&type=cyclist'],
];

async function windowsOfDay(): Promise<Row[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  try {
    const positions = await fillDay(dataDir);
    const rows = await whileServing(dataDir, async (server) => [
      await ask(server, {
        what: 'all by hour, asked at once after the start',
        query: 'every=1h',
        positions,
        rounds: 1,
      }),
    ]);
    const answered = await whileServing(dataDir, async (server) => {
      await untilIdle(server);
      const asked: Row[] = [];
      for (const [what, query] of questions)
        asked.push(await ask(server, { what, query, positions, rounds: ROUNDS }));
      return asked;
    });
    return [...rows, ...answered];
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

async function whileServing<T>(dataDir: string, use: (server: Child) => Promise<T>): Promise<T> {
  const server = await startTidemark(dataDir);
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

/** Until what is worked out ahead is: it begins 10 s behind the start, and nothing else goes on. */
async function untilIdle(server: Child): Promise<void> {
  await setTimeout(15_000);
  for (let before = Number.NaN; ; ) {
    const now = cpuSecondsOf(server.process.pid!);
    if (now - before < 0.25) return;
    before = now;
    await setTimeout(5000);
  }
}

async function ask(
  { ready }: Child,
  { what, query, positions, rounds }: { what: string; query: string; positions: number; rounds: number },
): Promise<Row> {
  const times = [startMs, startMs + DAY_MS].map((ms) => formatTime(BigInt(ms) * 1_000_000n));
  const url = `${ready.httpUrl}/api/v1/travellers/windows?from=${times[0]}&to=${times[1]}&${query}`;
  const tookMs: number[] = [];
  let windows = 0;
  for (let round = 0; round < rounds; round++) {
    const beganMs = performance.now();
    const response = await fetch(url);
    const body = await response.text();
    tookMs.push(performance.now() - beganMs);
    if (!response.ok) throw new Error(`${what}: ${response.status} ${body}`);
    windows = (JSON.parse(body) as { count: number }).count;
  }
  return {
    what: `travellers: a day, ${what}`,
    figure: `${median(tookMs).toFixed(1)} ms`,
    note: `${windows.toLocaleString('en')} windows of ${positions.toLocaleString('en')} positions; median of ${rounds}, first ${tookMs[0]!.toFixed(0)} ms; load average ${loadavg()[0]!.toFixed(1)}; target: under 100 ms`,
  };
}

/** Straight into the store, as it would be stored; answers how many positions. */
async function fillDay(dataDir: string): Promise<number> {
  const engine = await startEngine(loadConfig({ overrides: { dataDir } }));
  const crowd = new Crowd({
    cameras: CAMERAS,
    travellersPerHour: TRAVELLERS_PER_HOUR,
    frameMs: FRAME_MS,
    seed: 1,
    startNs: BigInt(startMs) * 1_000_000n,
  });
  const stored = new Stored();
  let positions = 0;
  let batch: Point[] = [];
  for (let frame = 0; frame < DAY_MS / FRAME_MS; frame++) {
    for (const point of stored.pointsOf(crowd.next())) batch.push(point);
    if (batch.length < BATCH_POINTS) continue;
    positions += batch.length;
    await engine.write(batch);
    batch = [];
  }
  await engine.write(batch);
  await engine.stop();
  return positions + batch.length;
}

/** The points of a crowd that comes in order. */
class Stored {
  readonly #before = new Map<string, CrowdPosition>();
  readonly #tags = new Map<string, readonly Tag[]>();

  pointsOf(frame: readonly CrowdPosition[]): Point[] {
    const slots = new Map<string, number>();
    return frame.map((position) => {
      const { camera, traveller, type, x, y, timeNs } = position;
      const stream = `${camera}/${type}`;
      const slot = slots.get(stream) ?? 0;
      slots.set(stream, slot + 1);
      const before = this.#before.get(traveller);
      this.#before.set(traveller, position);
      const isFirst = before?.camera !== camera;
      const elapsedNs = isFirst ? 0 : Number(timeNs - before.timeNs);
      const fields: Field[] = [
        ['traveller', traveller],
        ['x', x],
        ['y', y],
        ['elapsed_ns', elapsedNs],
      ];
      if (!isFirst) fields.push(['speed', Math.hypot(x - before.x, y - before.y) / (elapsedNs / 1e9)]);
      return { measurement: TRAVELLERS, tags: this.#tagsOf(camera, type, slot), fields, timeNs };
    });
  }

  #tagsOf(camera: string, type: string, slot: number): readonly Tag[] {
    const key = `${camera}/${type}/${slot}`;
    let tags = this.#tags.get(key);
    if (tags === undefined) {
      const made: Tag[] = [
        ['sensor', camera],
        ['slot', String(slot)],
        ['type', type],
      ];
      tags = Object.freeze(made);
      this.#tags.set(key, tags);
    }
    return tags;
  }
}
