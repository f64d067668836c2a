// node year-load.ts fill DATA_DIR POINTS: writes a year of points into a store of its own.
// node year-load.ts late URL POINTS: posts points of random series and times of that year as line protocol.
// Both print one JSON object.
import { createMetrics, loadConfig, PointColumns, silentLogger, systemClock, type Tag } from '@tidemark/core';
import { openEngine } from '@tidemark/store';
import { postBatches } from './post-batches.ts';
import { FIRST_MS, SERIES, YEAR_MS } from './year.ts';

const FILL_BATCH = 50_000;
const LATE_BATCH = 5000;
const PROGRESS_POINTS = 10_000_000;
const YEAR_NS = BigInt(YEAR_MS) * 1_000_000n;
const FIRST_NS = BigInt(FIRST_MS) * 1_000_000n;

const [step, target, points] = process.argv.slice(2) as [string, string, string];
const run = step === 'fill' ? fill : late;
process.stdout.write(`${JSON.stringify(await run(target, Number(points)))}\n`);

async function fill(dataDir: string, points: number): Promise<object> {
  const shared = { clock: systemClock, logger: silentLogger, metrics: createMetrics() };
  const engine = await openEngine({ config: loadConfig({ overrides: { dataDir } }), ...shared });
  await engine.start();
  const startMs = performance.now();
  const stepNs = YEAR_NS / BigInt(points);
  const tags = Array.from({ length: SERIES }, (_, series): readonly Tag[] =>
    Object.freeze([['sensor', `s${series}`] as const]),
  );
  for (let first = 0; first < points; first += FILL_BATCH) {
    const batch = new PointColumns();
    for (let n = first; n < first + FILL_BATCH; n++) {
      const fields = [['value', (n % 2003) / 100]] as const;
      const timeNs = FIRST_NS + BigInt(n) * stepNs;
      batch.push({ measurement: 'climate', tags: tags[n % SERIES]!, fields, timeNs });
    }
    await engine.write(batch);
    if ((first + FILL_BATCH) % PROGRESS_POINTS === 0)
      process.stderr.write(`  ${(first + FILL_BATCH) / 1e6} M of ${points / 1e6} M points\n`);
  }
  const seconds = (performance.now() - startMs) / 1000;
  await engine.stop();
  return { seconds };
}

async function late(url: string, points: number): Promise<object> {
  return postBatches({ url, token: 'none', batches: lateBatches(points) });
}

function* lateBatches(points: number): Generator<Buffer> {
  for (let first = 0; first < points; first += LATE_BATCH) {
    const lines = Array.from({ length: LATE_BATCH }, () => {
      const ms = FIRST_MS + Math.floor(Math.random() * YEAR_MS);
      const ns = String(Math.floor(Math.random() * 1e6)).padStart(6, '0');
      return `climate,sensor=s${Math.floor(Math.random() * SERIES)} value=${Math.floor(Math.random() * 2000) / 100} ${ms}${ns}`;
    });
    yield Buffer.from(lines.join('\n'));
  }
}
