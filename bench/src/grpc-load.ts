// node grpc-load.ts ADDRESS WORKLOAD WORKERS REQUESTS: so many workers make so many calls each, one after another, and
// one JSON object is printed. A warm-up of the same kind comes before.
import { credentials } from '@grpc/grpc-js';
import { ReadingServiceClient, ReadingServiceService, unaryCall } from '@tidemark/api/testing';

type Call = (client: ReadingServiceClient, n: number) => Promise<number>;
type Selection = Parameters<typeof ReadingServiceService.list.requestSerialize>[0]['selection'];

const CONNECTIONS = 4;
const WARM_UP_CALLS = 1000;
const SENSORS = 100;
/** Readings of one request of a stream, and requests that wait for their answer. */
const STREAM_READINGS = 500;
const FIRST_NS = 1_780_000_000_000_000_000n;
const LIST_ROWS = 10_000;

const [address, workload, workers, requests] = process.argv.slice(2) as [string, string, string, string];
const calls: Record<string, Call> = {
  record: async (client, n) => {
    const request = { reading: readingOf(n), idempotencyKey: '' };
    await unaryCall(client, ReadingServiceService.record, request);
    return 1;
  },
  stream: streamed,
  'list-10000': (client) => listed(client, { $case: 'oldest', value: LIST_ROWS }),
  newest: (client) => listed(client, { $case: 'newest', value: 100 }),
  first: (client) => listed(client, { $case: 'first', value: true }),
  last: (client) => listed(client, { $case: 'last', value: true }),
  id: (client, n) => listed(client, { $case: 'id', value: ids[n % ids.length]! }),
};
const call = calls[workload]!;
const clients = Array.from(
  { length: CONNECTIONS },
  () =>
    new ReadingServiceClient(address, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': -1,
    }),
);

/** Of readings that are there. */
const ids: string[] = workload === 'id' ? await someIds() : [];

// Numbers of other times of the day are other readings.
const base = Number(process.hrtime.bigint() / 1000n) % 1_000_000_000;
const isLong = workload === 'stream' || workload === 'list-10000';
await run(isLong ? 2 : Math.min(10, Number(workers)), isLong ? 1 : WARM_UP_CALLS / 10, base);
const tookMs: number[] = [];
const startedMs = performance.now();
const rows = await run(Number(workers), Number(requests), base + 10_000_000, tookMs);
const seconds = (performance.now() - startedMs) / 1000;
tookMs.sort((a, b) => a - b);
const p99Ms = tookMs[Math.floor(tookMs.length * 0.99)];
process.stdout.write(`${JSON.stringify({ calls: tookMs.length, rows, seconds, p99Ms })}\n`);
for (const client of clients) client.close();

async function run(count: number, each: number, from: number, times: number[] = []): Promise<number> {
  let sum = 0;
  const work = async (worker: number) => {
    const client = clients[worker % CONNECTIONS]!;
    for (let request = 0; request < each; request++) {
      const beganMs = performance.now();
      const counted = await call(client, from + worker * each + request);
      sum += counted;
      times.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: count }, (_, worker) => work(worker)));
  return sum;
}

function readingOf(n: number) {
  const values = new Map([['temperature', 15 + (n % 2000) / 100]]);
  const sensor = `bench-${n % SENSORS}`;
  return {
    id: '',
    sensor,
    location: undefined,
    timeNs: FIRST_NS + BigInt(n),
    values,
    texts: new Map<string, string>(),
  };
}

async function someIds(): Promise<string[]> {
  const selection = { $case: 'newest' as const, value: LIST_ROWS };
  const request = { filter: undefined, selection, pageSize: LIST_ROWS, pageToken: '' };
  const { readings } = await unaryCall(clients[0]!, ReadingServiceService.list, request);
  return readings.map(({ id }) => id);
}

async function listed(client: ReadingServiceClient, selection: Selection): Promise<number> {
  const request = { filter: undefined, selection, pageSize: LIST_ROWS, pageToken: '' };
  return (await unaryCall(client, ReadingServiceService.list, request)).count;
}

/** One stream of 200 requests; resolves when all of it is answered. */
async function streamed(client: ReadingServiceClient, n: number): Promise<number> {
  const stream = client.recordStream();
  let accepted = 0;
  const ended = new Promise<void>((resolve, reject) => {
    stream.on('data', (answer: { accepted: number }) => {
      accepted += answer.accepted;
    });
    stream.on('end', resolve);
    stream.on('error', reject);
  });
  for (let request = 0; request < 200; request++) {
    const start = (n * 200 + request) * STREAM_READINGS;
    const readings = Array.from({ length: STREAM_READINGS }, (_, index) => readingOf(start + index));
    if (!stream.write({ readings })) await new Promise((resolve) => stream.once('drain', resolve));
  }
  stream.end();
  await ended;
  return accepted;
}
