// node lines-load.ts URL TOKEN FIRST LINES: posts line protocol in batches of 5 000 lines, four requests at a time,
// and prints one JSON object. Line n is of series n mod 1 000; its time follows from n, so that no line comes twice.
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';

const BATCH_LINES = 5000;
const REQUESTS = 4;
const SERIES = 1000;
const STEP_NS = 1_000_000n;
const FIRST_NS = 1_780_000_000_000_000_000n;

const [url, token, first, lines] = process.argv.slice(2) as [string, string, string, string];
const batches = Array.from({ length: Number(lines) / BATCH_LINES }, (_, batch) =>
  bodyOf(Number(first) + batch * BATCH_LINES),
);
const agent = new Agent({ keepAlive: true, maxSockets: REQUESTS });
const latenciesMs: number[] = [];
const startMs = performance.now();
let next = 0;
await Promise.all(
  Array.from({ length: REQUESTS }, async () => {
    while (next < batches.length) {
      const sentMs = performance.now();
      await post(batches[next++]!);
      latenciesMs.push(performance.now() - sentMs);
    }
  }),
);
const seconds = (performance.now() - startMs) / 1000;
latenciesMs.sort((a, b) => a - b);
const p99Ms = latenciesMs[Math.floor(latenciesMs.length * 0.99)];
process.stdout.write(`${JSON.stringify({ lines: batches.length * BATCH_LINES, seconds, p99Ms })}\n`);
agent.destroy();

function bodyOf(start: number): Buffer {
  const batch = Array.from({ length: BATCH_LINES }, (_, index) => {
    const n = start + index;
    const station = n % SERIES;
    const temperature = (15 + (n % 2000) / 100).toFixed(2);
    const timeNs = FIRST_NS + BigInt(n) * STEP_NS;
    return `weather,hall=h${station % 10},station=s${station} temperature=${temperature} ${timeNs}`;
  });
  return Buffer.from(batch.join('\n'));
}

function post(body: Buffer): Promise<void> {
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
