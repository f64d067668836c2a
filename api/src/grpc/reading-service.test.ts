import { credentials, type ServiceError, status } from '@grpc/grpc-js';
import { TidemarkError } from '@tidemark/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';
import { unaryCall } from '../testing/unary-call.ts';
import type { Reading } from './generated/tidemark/v1/reading.ts';
import {
  type ListRequest,
  type ListResponse,
  ReadingServiceClient,
  ReadingServiceService,
  type RecordResponse,
  type RecordStreamResponse,
  type WatchResponse,
  type WindowsRequest,
  type WindowsResponse,
} from './generated/tidemark/v1/reading_service.ts';
import { GrpcServer } from './grpc-server.ts';

let platform: Awaited<ReturnType<typeof startTestPlatform>>;
let server: GrpcServer;
let client: ReadingServiceClient;

beforeAll(async () => {
  platform = await startTestPlatform();
  server = new GrpcServer(platform.parts);
  await server.start();
  client = new ReadingServiceClient(`127.0.0.1:${server.port}`, credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  await server.stop();
  await platform.stop();
});

function reading(sensor: string, timeNs: bigint | undefined, values: Record<string, number>): Reading {
  return {
    id: '',
    sensor,
    location: undefined,
    timeNs,
    values: new Map(Object.entries(values)),
    texts: new Map(),
  };
}

function record(given: Reading | undefined, idempotencyKey = ''): Promise<RecordResponse> {
  return unaryCall(client, ReadingServiceService.record, { reading: given, idempotencyKey });
}

function list(request: Partial<ListRequest>): Promise<ListResponse> {
  const whole = { filter: undefined, selection: undefined, pageSize: 0, pageToken: '', ...request };
  return unaryCall(client, ReadingServiceService.list, whole);
}

function windows(request: Partial<WindowsRequest>): Promise<WindowsResponse> {
  const whole = { filter: undefined, everyNs: 0n, functions: [], by: [], fill: '', timeZone: '', ...request };
  return unaryCall(client, ReadingServiceService.windows, whole);
}

const filterOf = (...sensors: string[]) => ({
  sensors,
  locations: [],
  metrics: [],
  fromNs: undefined,
  toNs: undefined,
});

const secondNs = 1_000_000_000n;
const startNs = 1_700_000_000n * secondNs;

describe('Record', () => {
  it('answers with the id, and the reading is there', async () => {
    const given = reading('greenhouse-1', startNs + 1n, { temperature: 21.5 });
    given.texts.set('note', 'vent open');
    expect(await record(given)).toEqual({ id: `greenhouse-1@${startNs + 1n}`, rejected: [] });
    const { readings, count, isEmpty } = await list({ filter: filterOf('greenhouse-1') });
    expect({ count, isEmpty }).toEqual({ count: 1, isEmpty: false });
    expect(readings[0]).toMatchObject({ sensor: 'greenhouse-1', timeNs: startNs + 1n });
    expect(readings[0]!.values).toEqual(new Map([['temperature', 21.5]]));
    expect(readings[0]!.texts).toEqual(new Map([['note', 'vent open']]));
  });

  it('takes times as nanoseconds, however small', async () => {
    expect((await record(reading('old', 5n, { v: 1 }))).id).toBe('old@5');
  });

  it('keeps a metric of any name', async () => {
    const given = reading('proto', startNs, {});
    given.values.set('__proto__', 1);
    await record(given);
    const { readings } = await list({ filter: filterOf('proto') });
    expect([...readings[0]!.values]).toEqual([['__proto__', 1]]);
  });

  it('names the field that is missing', async () => {
    const error = await failureOf(record(undefined));
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(detailsOf(error)).toContain('type.googleapis.com/google.rpc.BadRequest');
    expect(detailsOf(error)).toContain('reading');
  });

  it('refuses a name that a reading uses for itself, and keeps what came', async () => {
    const { length } = platform.quarantine.items;
    const error = await failureOf(record(reading('own', startNs, { time: 5 })));
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining('time') });
    expect(platform.quarantine.items).toHaveLength(length + 1);
    expect((await list({ filter: filterOf('own') })).isEmpty).toBe(true);
  });

  it('tells that nothing can be accepted, and when to come again', async () => {
    const full = new TidemarkError('spool_full', 'the spool is full', {
      retryable: true,
      retryAfterMs: 2500,
    });
    platform.acceptor.errors.push(full);
    const error = await failureOf(record(reading('full', startNs, { v: 1 })));
    expect(error).toMatchObject({ code: status.UNAVAILABLE, details: 'the spool is full' });
    expect(detailsOf(error)).toContain('google.rpc.RetryInfo');
  });

  it('passes on the idempotency key', async () => {
    await record(reading('keyed', undefined, { v: 1 }), 'one-key');
    expect(platform.acceptor.deliveries.at(-1)).toMatchObject({
      clientId: expect.stringContaining('one-key'),
      isDuplicate: true,
    });
    const error = await failureOf(record(reading('keyed', undefined, { v: 1 }), 'two words'));
    expect(detailsOf(error)).toContain('idempotency_key');
  });
});

describe('RecordStream', () => {
  it('answers each request in order', async () => {
    const stream = client.recordStream();
    const answers: RecordStreamResponse[] = [];
    stream.on('data', (answer: RecordStreamResponse) => answers.push(answer));
    const ended = new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject));
    for (let n = 0; n < 200; n++) {
      const time = startNs + BigInt(n);
      stream.write({ readings: [reading('a', time, { v: n }), reading('b', time, n === 7 ? {} : { v: n })] });
    }
    stream.end();
    await ended;
    expect(answers.map(({ sequence }) => Number(sequence))).toEqual(
      Array.from({ length: 200 }, (_, n) => n + 1),
    );
    expect(answers[7]).toMatchObject({ accepted: 1, rejected: [{ index: 1 }] });
    expect(answers[8]).toMatchObject({ accepted: 2, ids: [`a@${startNs + 8n}`, `b@${startNs + 8n}`] });
  });

  it('answers what came before a request that cannot be taken, then says why', async () => {
    const stream = client.recordStream();
    const answers: RecordStreamResponse[] = [];
    const failed = new Promise<ServiceError>((resolve) => {
      stream.on('data', (answer: RecordStreamResponse) => answers.push(answer));
      stream.on('error', (error) => resolve(error as ServiceError));
    });
    stream.write({ readings: [reading('before', startNs, { v: 1 })] });
    const many = Array.from({ length: 1001 }, (_, n) => reading('many', startNs + BigInt(n), { v: n }));
    stream.write({ readings: many });
    expect(await failed).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(answers).toHaveLength(1);
    expect((await list({ filter: filterOf('many') })).isEmpty).toBe(true);
  });
});

describe('List', () => {
  beforeAll(async () => {
    const values = Array.from({ length: 25 }, (_, n) => reading('listed', startNs + BigInt(n), { n }));
    await Promise.all(values.map((value) => record(value)));
  });
  const filter = filterOf('listed');
  const numbers = ({ readings }: ListResponse) => readings.map(({ values }) => values.get('n'));

  it.each([
    ['first', { $case: 'first', value: true }, [0]],
    ['last', { $case: 'last', value: true }, [24]],
    ['the newest 3', { $case: 'newest', value: 3 }, [24, 23, 22]],
    ['the oldest 3', { $case: 'oldest', value: 3 }, [0, 1, 2]],
    ['one by id', { $case: 'id', value: `listed@${startNs + 4n}` }, [4]],
    ['none by an id that there is not', { $case: 'id', value: 'listed@1' }, []],
  ] as const)('answers %s', async (_name, selection, expected) => {
    const answer = await list({ filter, selection });
    expect(numbers(answer)).toEqual(expected);
    expect(answer).toMatchObject({
      count: expected.length,
      isEmpty: expected.length === 0,
      nextPageToken: '',
    });
  });

  it('answers on pages, also the newest N', async () => {
    const seen: unknown[] = [];
    let pageToken = '';
    do {
      const page = await list({ filter, selection: { $case: 'newest', value: 12 }, pageSize: 5, pageToken });
      seen.push(numbers(page));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(seen).toEqual([
      [24, 23, 22, 21, 20],
      [19, 18, 17, 16, 15],
      [14, 13],
    ]);
  });

  it('streams every page', async () => {
    const pages: number[] = [];
    const request = { filter, selection: undefined, pageSize: 10, pageToken: '' };
    for await (const { page } of client.listStream({ list: request })) pages.push(page.count);
    expect(pages).toEqual([10, 10, 5]);
  });

  it.each([
    ['page_size', { pageSize: 10_001 }],
    ['page_token', { pageToken: 'abc' }],
    ['id', { selection: { $case: 'id', value: 'nothing' } }],
    ['filter.sensors[1]', { filter: filterOf('a', 'a/b') }],
    ['filter.from_ns', { filter: { ...filterOf(), fromNs: 5n, toNs: 5n } }],
  ] as const)('names %s when it is at fault', async (path, request) => {
    const error = await failureOf(list(request as Partial<ListRequest>));
    expect(error.code).toBe(status.INVALID_ARGUMENT);
    expect(detailsOf(error)).toContain(path);
  });
});

describe('Windows', () => {
  it('answers aggregates', async () => {
    const values = Array.from({ length: 4 }, (_, n) =>
      reading('w', startNs + BigInt(n) * secondNs, { v: n }),
    );
    await Promise.all(values.map((value) => record(value)));
    const filter = { ...filterOf('w'), fromNs: startNs, toNs: startNs + 4n * secondNs };
    const answer = await windows({
      filter,
      everyNs: 2n * secondNs,
      functions: ['mean', 'count'],
      by: ['sensor'],
    });
    expect(answer).toMatchObject({ count: 2, isEmpty: false });
    expect(answer.windows[1]).toEqual({
      timeNs: startNs + 2n * secondNs,
      metric: 'v',
      sensor: 'w',
      location: undefined,
      values: new Map([
        ['mean', 2.5],
        ['count', 2],
      ]),
    });
    expect((await failureOf(windows({ functions: ['most'] }))).code).toBe(status.INVALID_ARGUMENT);
  });
});

describe('Watch', () => {
  it('begins with where it is, and resumes there', async () => {
    const stream = client.watch({ filter: filterOf('watched'), resumeAt: undefined });
    const events = stream[Symbol.asyncIterator]() as AsyncIterator<WatchResponse>;
    const first = (await events.next()).value as WatchResponse;
    expect(first.event?.$case).toBe('heartbeat');
    await record(reading('watched', startNs, { v: 1 }));
    const second = (await events.next()).value as WatchResponse;
    expect(second.event).toMatchObject({ $case: 'readings', value: { readings: [{ isLate: false }] } });
    stream.cancel();
    await events.next().catch(() => {});

    const again = client.watch({ filter: filterOf('watched'), resumeAt: first.resumeAt });
    const seen: unknown[] = [];
    for await (const { event } of again as AsyncIterable<WatchResponse>) {
      if (event?.$case === 'readings') break;
      seen.push(event?.$case);
    }
    expect(seen).toEqual(['heartbeat']);
  });
});

async function failureOf(call: Promise<unknown>): Promise<ServiceError> {
  return call.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: ServiceError) => error,
  );
}

/** The details as they came, whose texts are plain within. */
function detailsOf(error: ServiceError): string {
  return String(error.metadata.get('grpc-status-details-bin')[0]);
}
