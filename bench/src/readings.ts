import { postBatches } from './post-batches.ts';
import { cpuSecondsOf } from './process.ts';

/** A store of readings as the platform keeps them: one temperature a sensor every 30 s. */
const SENSORS = 1000;
const LOCATIONS = 10;
const READINGS = 10_000_000;
export const FIRST_MS = Date.UTC(2026, 0, 1);
const STEP_MS = 30_000;
/** After the newest. */
export const END_MS = FIRST_MS + (READINGS / SENSORS) * STEP_MS;

const BATCH_LINES = 5000;
const QUIET_CPU_SECONDS = 0.05;
const QUIET_SECONDS = 15;
const SETTLE_WITHIN_SECONDS = 300;

/** Posts all readings as line protocol, each instant's one after another. */
export async function loadReadings(what: string, url: string, token: string): Promise<void> {
  await postBatches({ url, token, batches: batchesOf(what) });
}

function* batchesOf(what: string): Generator<Buffer> {
  for (let first = 0; first < READINGS; first += BATCH_LINES) {
    if (first % 1_000_000 === 0) process.stderr.write(`${what}: ${first / 1_000_000} of 10 M readings\n`);
    yield linesFrom(first);
  }
}

/** Resolves when a process has had nothing to do for some seconds: what it does behind an answer is done. */
export async function untilIdle(pid: number): Promise<void> {
  let quietSeconds = 0;
  for (let second = 0; quietSeconds < QUIET_SECONDS; second++) {
    if (second === SETTLE_WITHIN_SECONDS) throw new Error('a server is still busy with what was loaded');
    const before = cpuSecondsOf(pid);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    quietSeconds = cpuSecondsOf(pid) - before <= QUIET_CPU_SECONDS ? quietSeconds + 1 : 0;
  }
}

function linesFrom(first: number): Buffer {
  const lines = Array.from({ length: BATCH_LINES }, (_, index) => {
    const n = first + index;
    const sensor = n % SENSORS;
    const instant = (n - sensor) / SENSORS;
    const timeMs = FIRST_MS + instant * STEP_MS + sensor * (STEP_MS / SENSORS);
    const temperature = (15 + 8 * Math.sin(instant / 400 + sensor) + ((n * 7919) % 1009) / 500).toFixed(2);
    return `readings,location=hall-${sensor % LOCATIONS},sensor=s${sensor} temperature=${temperature} ${timeMs}000000`;
  });
  return Buffer.from(lines.join('\n'));
}
