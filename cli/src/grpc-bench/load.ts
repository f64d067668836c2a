import { ReadingServiceService } from '@tidemark/api';
import { systemClock } from '@tidemark/core';
import { type Channel, frame } from './channel.ts';
import type { Workload } from './workloads.ts';

/** What came of a workload. */
export interface Load {
  calls: number;
  readings: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
}

/** Makes one call of a worker; answers how many readings were in it. */
type Call = (channel: Channel, worker: number, request: number) => Promise<number>;
type Selection = Parameters<typeof ReadingServiceService.list.requestSerialize>[0]['selection'];

const SENSORS = 100;
const LIST_ROWS = 10_000;
const NEWEST_ROWS = 100;
/** Readings of one request of a stream, and requests of one stream. */
const STREAM_READINGS = 500;
const STREAM_REQUESTS = 200;
const WARM_UP = { workers: 10, requests: 100 };

const { record, recordStream, list } = ReadingServiceService;

/** Runs a workload over the connections, after a warm-up of its kind; what is sent is made beforehand. */
export async function runLoad(channels: readonly Channel[], workload: Workload): Promise<Load> {
  const { kind, workers, requests } = workload;
  // Readings at the present, as devices send them, and never twice the same.
  let nextNs = systemClock.nowNs();
  const prepare = async (workersOf: number, requestsOf: number): Promise<Call> => {
    if (kind === 'record' || kind === 'stream') {
      const call = writing(kind, nextNs, workersOf, requestsOf);
      nextNs += BigInt(workersOf * requestsOf * STREAM_REQUESTS * STREAM_READINGS);
      return call;
    }
    return kind === 'id' ? byId(await someIds(channels[0]!)) : listing(selections[kind]);
  };
  if (kind !== 'record' && kind !== 'stream') await seed(channels[0]!, nextNs);
  const isLong = kind === 'stream' || kind === 'list';
  const warmUp = isLong ? { workers: 2, requests: 1 } : WARM_UP;
  await run(channels, warmUp, await prepare(warmUp.workers, warmUp.requests));
  return run(channels, { workers, requests }, await prepare(workers, requests));
}

const selections: Record<'list' | 'newest' | 'first' | 'last', NonNullable<Selection>> = {
  list: { $case: 'oldest', value: LIST_ROWS },
  newest: { $case: 'newest', value: NEWEST_ROWS },
  first: { $case: 'first', value: true },
  last: { $case: 'last', value: true },
};

async function run(
  channels: readonly Channel[],
  { workers, requests }: { workers: number; requests: number },
  call: Call,
): Promise<Load> {
  const tookMs = new Float64Array(workers * requests);
  let readings = 0;
  const work = async (worker: number) => {
    const channel = channels[worker % channels.length]!;
    for (let request = 0; request < requests; request++) {
      const beganMs = performance.now();
      const counted = await call(channel, worker, request);
      tookMs[worker * requests + request] = performance.now() - beganMs;
      readings += counted;
    }
  };
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  const seconds = (performance.now() - startedMs) / 1000;
  tookMs.sort();
  const quantile = (q: number) => tookMs[Math.floor(tookMs.length * q)]!;
  return { calls: tookMs.length, readings, seconds, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}

/** Each worker is some devices of its own, which send in the order of time as devices do. */
function writing(kind: 'record' | 'stream', fromNs: bigint, workers: number, requests: number): Call {
  if (kind === 'stream') {
    const streams = Array.from({ length: workers }, (_, worker) =>
      streamOf({ fromNs, worker, workers, requests: requests * STREAM_REQUESTS }),
    );
    return (channel, worker) => sendStream(channel, streams[worker]!);
  }
  const frames = Array.from({ length: workers * requests }, (_, n) => {
    const reading = readingOf(n % workers, fromNs + BigInt(n));
    return frame(record.requestSerialize({ reading, idempotencyKey: '' }));
  });
  return async (channel, worker, request) => {
    await channel.unary(record.path, frames[request * workers + worker]!);
    return 1;
  };
}

interface StreamParts {
  fromNs: bigint;
  worker: number;
  workers: number;
  requests: number;
}

function streamOf({ fromNs, worker, workers, requests }: StreamParts): Buffer[] {
  const devices = SENSORS / workers;
  return Array.from({ length: requests }, (_, request) => {
    const readings = Array.from({ length: STREAM_READINGS }, (_, index) => {
      const n = request * STREAM_READINGS + index;
      return readingOf(worker * devices + (n % devices), fromNs + BigInt(n));
    });
    return frame(recordStream.requestSerialize({ readings }));
  });
}

async function sendStream(channel: Channel, frames: readonly Buffer[]): Promise<number> {
  let accepted = 0;
  await channel.stream(recordStream.path, frames, (message) => {
    accepted += recordStream.responseDeserialize(message).accepted;
  });
  return accepted;
}

/** As many readings as the reading workloads ask for. */
async function seed(channel: Channel, fromNs: bigint): Promise<void> {
  const requests = LIST_ROWS / STREAM_READINGS;
  await sendStream(channel, streamOf({ fromNs, worker: 0, workers: 1, requests }));
}

function readingOf(device: number, timeNs: bigint) {
  const values = new Map([['temperature', 15 + Number(timeNs % 2000n) / 100]]);
  return {
    id: '',
    sensor: `bench-${device % SENSORS}`,
    location: undefined,
    timeNs,
    values,
    texts: new Map<string, string>(),
  };
}

function listing(selection: NonNullable<Selection>): Call {
  const framed = listFrame(selection);
  return async (channel) => countReadings(await channel.unary(list.path, framed));
}

function byId(ids: readonly string[]): Call {
  const frames = ids.map((value) => listFrame({ $case: 'id', value }));
  let next = 0;
  return async (channel) => countReadings(await channel.unary(list.path, frames[next++ % frames.length]!));
}

async function someIds(channel: Channel): Promise<string[]> {
  const answer = await channel.unary(list.path, listFrame({ $case: 'newest', value: LIST_ROWS }));
  return list.responseDeserialize(answer).readings.map(({ id }) => id);
}

function listFrame(selection: NonNullable<Selection>): Buffer {
  return frame(list.requestSerialize({ filter: undefined, selection, pageSize: LIST_ROWS, pageToken: '' }));
}

/** How many readings a ListResponse holds, without making any of them: fields with number 1, each with its length. */
function countReadings(bytes: Buffer): number {
  const readingTag = 0x0a;
  let count = 0;
  for (let at = 0; bytes[at] === readingTag; count++) {
    let length = 0;
    let shift = 0;
    do {
      at += 1;
      length |= (bytes[at]! & 0x7f) << shift;
      shift += 7;
    } while (bytes[at]! & 0x80);
    at += 1 + length;
  }
  return count;
}
