import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
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
const REQUESTS = 4;
const QUIET_CPU_SECONDS = 0.05;
const QUIET_SECONDS = 15;
const SETTLE_WITHIN_SECONDS = 300;

/** Posts all readings as line protocol, each instant's one after another, four requests at a time. */
export async function loadReadings(what: string, url: string, token: string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: REQUESTS });
  let next = 0;
  const send = async (): Promise<void> => {
    while (next < READINGS) {
      const first = next;
      next += BATCH_LINES;
      if (first % 1_000_000 === 0) process.stderr.write(`${what}: ${first / 1_000_000} of 10 M readings\n`);
      await post(agent, { url, token, body: linesFrom(first) });
    }
  };
  await Promise.all(Array.from({ length: REQUESTS }, send));
  agent.destroy();
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

function post(
  agent: Agent,
  { url, token, body }: { url: string; token: string; body: Buffer },
): Promise<void> {
  const headers = { authorization: `Token ${token}`, 'content-length': body.length };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers }, async (response) => {
      const answer = await text(response);
      if (response.statusCode === 204) resolve();
      else reject(new Error(`${response.statusCode}: ${answer.slice(0, 300)}`));
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
