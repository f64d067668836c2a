// node lines-load.ts URL TOKEN FIRST LINES: posts line protocol in batches of 5 000 lines, four requests at a time,
// and prints one JSON object. Line n is of series n mod 1 000; its time follows from n, so that no line comes twice.
import { postBatches } from './post-batches.ts';

const BATCH_LINES = 5000;
const SERIES = 1000;
const STEP_NS = 1_000_000n;
const FIRST_NS = 1_780_000_000_000_000_000n;

const [url, token, first, lines] = process.argv.slice(2) as [string, string, string, string];
const batches = Array.from({ length: Number(lines) / BATCH_LINES }, (_, batch) =>
  bodyOf(Number(first) + batch * BATCH_LINES),
);
const posted = await postBatches({ url, token, batches });
process.stdout.write(`${JSON.stringify({ lines: batches.length * BATCH_LINES, ...posted })}\n`);

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
