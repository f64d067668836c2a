import assert from 'node:assert/strict';
import { cp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from '../bench.ts';
import type { FaultCase } from '../fault-case.ts';
import type { Summary } from '../oracle/load.ts';
import { type Metrics, metricsOf } from '../oracle/metrics.ts';
import { recordsIn, segmentsIn } from '../oracle/spool-files.ts';
import { assertKept, type Verdict } from '../oracle/verify.ts';

const SEGMENT_BYTES = 100_000;
/** A store that nobody answers for: everything stays in the spool. */
const NO_STORE = { TIDEMARK_STORE: 'influxdb', INFLUX_URL: 'http://127.0.0.1:9', INFLUX_TOKEN: 'none' };

/** What was done to a spool. */
interface Damage {
  /** Readings in what was damaged, as `<sensor> <number>`. */
  destroyed: Set<string>;
  /** Bytes that must be found in the folder of what was set aside. */
  keptAside: Buffer[];
  /** Least that the counter of damaged bytes must come to; 0: nothing is damaged. */
  damagedBytes: number;
}

const noDamage: Damage = { destroyed: new Set(), keptAside: [], damagedBytes: 0 };

const damages: Record<string, (dataDir: string, bench: Bench) => Promise<Damage>> = {
  'torn tail': tearTail,
  'flipped bits': flipBits,
  'a missing segment': removeSegment,
  'an unreadable header': overwriteHeader,
  'unreadable cursors': garbleCursors,
  'a crash between unlink and cursors': unlinkAhead,
};

export const faultCase: FaultCase = {
  id: 'g',
  title: 'a damaged spool',
  criterion:
    'The platform starts by itself, loses only what the damaged bytes held, counts them and keeps them aside.',
  limitSeconds: { short: 180, long: 900 },
  async run(bench) {
    const summary = await fill(bench);
    const counts: Record<string, number> = { acknowledged: summary.acknowledged };
    for (const [name, damage] of Object.entries(damages)) {
      bench.progress(name);
      const { destroyed } = await restartDamaged(bench, summary, damage);
      counts[`destroyed by ${name}`] = destroyed;
    }
    return { counts, recorded: {} };
  },
};

/** Fills a spool that no store empties, and ends the platform by kill -9. */
async function fill(bench: Bench): Promise<Summary> {
  const readings = bench.choose({ short: 4000, long: 100_000 });
  const env = { ...NO_STORE, TIDEMARK_SPOOL_SEGMENT_BYTES: String(SEGMENT_BYTES) };
  const platform = await bench.startPlatform({ env });
  const publisher = bench.publish({ protocol: 'mqtt', connections: 4, readings, prefix: 'damaged' });
  await publisher.until(({ acknowledged }) => acknowledged === 4 * readings);
  const summary = await publisher.stop();
  await platform.end('SIGKILL');
  return summary;
}

/** Damages a copy of the spool, starts on it with a store that takes everything, and compares. */
async function restartDamaged(
  bench: Bench,
  summary: Summary,
  damage: (dataDir: string, bench: Bench) => Promise<Damage>,
): Promise<Verdict> {
  const dataDir = join(bench.directory, 'damaged');
  await cp(bench.dataDir, dataDir, { recursive: true });
  const { destroyed, keptAside, damagedBytes } = await damage(dataDir, bench);
  const platform = await bench.startPlatform({ dataDir });
  const { httpUrl } = bench;
  const verdict = await assertKept({ httpUrl, summaries: [summary], destroyed });
  assert.equal(verdict.destroyed, destroyed.size);
  assert.equal(verdict.duplicates, 0);
  assertCounted(await metricsOf(httpUrl), damagedBytes);
  await assertAside(dataDir, keptAside);
  await platform.end('SIGKILL');
  await rm(dataDir, { recursive: true });
  return verdict;
}

function assertCounted(metrics: Metrics, damagedBytes: number): void {
  const counted = metrics.sum('tidemark_spool_damaged_bytes_total');
  if (damagedBytes === 0) assert.equal(counted, 0);
  else assert.ok(counted >= damagedBytes, `${counted} of ${damagedBytes} damaged bytes are counted`);
}

async function assertAside(dataDir: string, wanted: readonly Buffer[]): Promise<void> {
  if (wanted.length === 0) return;
  const folder = join(dataDir, 'spool', 'damaged');
  const kept = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name))));
  for (const bytes of wanted)
    assert.ok(
      kept.some((file) => file.includes(bytes)),
      'damaged bytes are kept aside',
    );
}

async function tearTail(dataDir: string): Promise<Damage> {
  const segment = (await segmentsIn(dataDir)).at(-1)!;
  const last = (await recordsIn(segment)).at(-1)!;
  await truncate(segment, last.end - 5);
  const torn = (await readFile(segment)).subarray(last.start);
  return { destroyed: new Set(last.readings), keptAside: [torn], damagedBytes: torn.length };
}

async function flipBits(dataDir: string, bench: Bench): Promise<Damage> {
  const damage: Damage = { destroyed: new Set(), keptAside: [], damagedBytes: 0 };
  for (const segment of (await segmentsIn(dataDir)).slice(0, -1)) {
    const records = await recordsIn(segment);
    const record = records[Math.floor(bench.random() * records.length)];
    if (!record) continue;
    const at = record.start + Math.floor(bench.random() * (record.end - record.start));
    const bytes = await readFile(segment);
    bytes[at]! ^= 1 << Math.floor(bench.random() * 8);
    await writeFile(segment, bytes);
    for (const reading of record.readings) damage.destroyed.add(reading);
    damage.keptAside.push(bytes.subarray(record.start, record.end));
    damage.damagedBytes += record.end - record.start;
  }
  return damage;
}

async function removeSegment(dataDir: string): Promise<Damage> {
  const segments = await segmentsIn(dataDir);
  const segment = segments[Math.floor(segments.length / 2)]!;
  const damage = await allOf(segment);
  await rm(segment);
  return damage;
}

async function overwriteHeader(dataDir: string): Promise<Damage> {
  const segment = (await segmentsIn(dataDir))[1]!;
  const damage = await allOf(segment);
  const handle = await open(segment, 'r+');
  await handle.write('XXXXXXXX', 0);
  await handle.close();
  return { ...damage, keptAside: [await readFile(segment)] };
}

async function allOf(segment: string): Promise<Damage> {
  const readings = (await recordsIn(segment)).flatMap((record) => record.readings);
  return { destroyed: new Set(readings), keptAside: [], damagedBytes: (await stat(segment)).size };
}

async function garbleCursors(dataDir: string): Promise<Damage> {
  const torn = Buffer.from('{"sto');
  await writeFile(join(dataDir, 'spool', 'cursors.json'), torn);
  return { destroyed: new Set(), keptAside: [torn], damagedBytes: torn.length };
}

/** Segments are gone that the cursors, older on disk, have not passed: what is stored is there all the same. */
async function unlinkAhead(dataDir: string, bench: Bench): Promise<Damage> {
  const before = await segmentsIn(dataDir);
  // The smallest limit, so that little of the log is kept.
  const platform = await bench.startPlatform({ dataDir, env: { TIDEMARK_SPOOL_MAX_BYTES: '1048576' } });
  while ((await segmentsIn(dataDir)).some((segment) => segment === before[0])) await delay(50);
  await platform.end('SIGKILL');
  const oldest = { store: 0, quarantine: 0, quality: 0 };
  await writeFile(join(dataDir, 'spool', 'cursors.json'), JSON.stringify(oldest));
  return noDamage;
}
