import { gzipSync } from 'node:zlib';
import { TidemarkError } from '@tidemark/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

const limitBytes = 20_000;
let platform: Awaited<ReturnType<typeof startTestPlatform>>;

beforeAll(async () => {
  platform = await startTestPlatform(
    {},
    { 'ingest.maxReadingsPerMessage': 3, 'http.maxBodyBytes': limitBytes },
  );
});
afterAll(() => platform.stop());

async function post(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  const response = await platform.app.request('/api/v1/readings', {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  });
  return { response, status: response.status, json: await response.json() };
}

const ndjson = { 'content-type': 'application/x-ndjson' };

describe('POST /api/v1/readings', () => {
  it('records one reading and answers with its id, exact to the nanosecond', async () => {
    const { status, json } = await post('{"sensor":"exact","temperature":21.5,"time":1777636800250000001}');
    expect(status).toBe(200);
    expect(json).toEqual({ accepted: 1, ids: ['exact@1777636800250000001'], rejected: [] });
    const reading = await platform.app.request('/api/v1/readings/exact@1777636800250000001');
    expect(await reading.json()).toMatchObject({ time: '2026-05-01T12:00:00.250000001Z', temperature: 21.5 });
  });

  it('hands an array over in chunks, and refusals keep their place in it', async () => {
    platform.acceptor.submissions.length = 0;
    const items = [1, 2, 3, 4, 5, 6, 7].map((n) =>
      n === 5 ? { sensor: 'lacks values' } : { sensor: 'array', n, time: n },
    );
    const { status, json } = await post(JSON.stringify(items));
    expect(status).toBe(200);
    expect(json.ids).toEqual([1, 2, 3, 4, 6, 7].map((n) => `array@${n}000000000`));
    expect(json.rejected).toEqual([{ index: 4, code: 'wrong_type', detail: 'is no reading' }]);
    expect(platform.acceptor.submissions.map((chunk) => chunk.length)).toEqual([3, 3, 1]);
  });

  it('tells the parts of a request with an idempotency key apart, and the same ones when it is repeated', async () => {
    const items = JSON.stringify([1, 2, 3, 4].map((n) => ({ sensor: 'once', n, time: n })));
    const deliveries = async (headers: Record<string, string>) => {
      platform.acceptor.deliveries.length = 0;
      expect((await post(items, headers)).status).toBe(200);
      return [...platform.acceptor.deliveries];
    };
    const first = await deliveries({ 'idempotency-key': 'k-1' });
    expect(first).toMatchObject([
      { messageId: 0, isDuplicate: true },
      { messageId: 1, isDuplicate: true },
    ]);
    expect(await deliveries({ 'idempotency-key': 'k-1' })).toEqual(first);
    expect(await deliveries({ 'idempotency-key': 'k-2' })).not.toEqual(first);
    expect(await deliveries({})).toEqual([undefined, undefined]);
    const { status, json } = await post(items, { 'idempotency-key': 'with space' });
    expect([status, json.code]).toEqual([400, 'bad_request']);
  });

  it('reads NDJSON; a line that is no JSON is refused alone, and goes to the quarantine as it came', async () => {
    const before = platform.quarantine.count();
    const { status, json } = await post(
      '{"sensor":"lines","v":1,"time":1}\n\r\n{bad\r\n{"sensor":"lines","v":2,"time":2}',
      ndjson,
    );
    expect(status).toBe(200);
    expect(json.ids).toEqual(['lines@1000000000', 'lines@2000000000']);
    expect(json.rejected).toMatchObject([{ index: 1, code: 'malformed_json' }]);
    expect(json.rejected[0].detail).toContain('position 1 (line 1, column 2)');
    expect(platform.quarantine.count()).toBe(before + 1);
    expect(Buffer.from(platform.quarantine.items.at(-1)!.payload).toString()).toContain('{bad');
  });

  it('reads characters that are cut by the chunks of a stream', async () => {
    const bytes = Buffer.from('{"sensor":"Wärme","v":1,"time":7}\n{"sensor":"温度","v":2,"time":7}\n');
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const init = { method: 'POST', body, headers: ndjson, duplex: 'half' } as RequestInit;
    const response = await platform.app.request('/api/v1/readings', init);
    expect((await response.json()).ids).toEqual(['Wärme@7000000000', '温度@7000000000']);
  });

  it('reads a long stream no further ahead than it is accepted, and refusals keep their place in it', async () => {
    const pieces = 40;
    const lines = 300;
    const padding = ' '.repeat(200);
    const long = await startTestPlatform({}, { 'ingest.maxReadingsPerMessage': lines });
    let [piece, lead] = [0, 0];
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          lead = Math.max(lead, piece - long.acceptor.submissions.length);
          const items = Array.from({ length: lines }, (_, n) =>
            n === 7
              ? `{"sensor":"long"}`
              : `{"sensor":"long","n":${piece * lines + n},"time":${piece * lines + n + 1}}`,
          );
          controller.enqueue(Buffer.from(items.map((item) => `${item}${padding}\n`).join('')));
          if (++piece === pieces) controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const request = {
      method: 'POST',
      body,
      headers: { ...ndjson, prefer: 'return=minimal' },
      duplex: 'half',
    };
    const response = await long.app.request('/api/v1/readings', request as RequestInit);
    const { accepted, ids, rejected } = await response.json();
    await long.stop();
    expect(response.headers.get('preference-applied')).toBe('return=minimal');
    expect([accepted, ids]).toEqual([pieces * (lines - 1), []]);
    expect(rejected.map(({ index }: { index: number }) => index)).toEqual(
      Array.from({ length: pieces }, (_, n) => n * lines + 7),
    );
    // A piece of 70 KB or two are read ahead, never the stream.
    expect(lead).toBeLessThan(5);
  });

  it('reads gzip', async () => {
    const { status } = await post(new Uint8Array(gzipSync('{"sensor":"zipped","v":1}')), {
      'content-encoding': 'gzip',
    });
    expect(status).toBe(200);
  });

  it.each([
    ['{"sensor":"a","v":t}', 'position 18'],
    ['{"a":1,}', 'position 7'],
    ['', 'position 0'],
    ['{"sensor":', 'position 10'],
  ])('tells where %j is no JSON', async (body, place) => {
    const { response, status, json } = await post(body);
    expect(status).toBe(400);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(json).toMatchObject({ code: 'bad_request', status: 400 });
    expect(json.detail).toContain(place);
  });

  const large = JSON.stringify([{ sensor: 'a', text: 'x'.repeat(limitBytes) }]);
  it.each([
    ['a body over the limit', large, {}, 413, 'payload_too_large'],
    [
      'a body that unpacks to more',
      new Uint8Array(gzipSync(large)),
      { 'content-encoding': 'gzip' },
      413,
      'payload_too_large',
    ],
    ['what claims to be gzip', 'plain', { 'content-encoding': 'gzip' }, 400, 'bad_request'],
    [
      'half of a gzip',
      new Uint8Array(gzipSync('{"a":1}').subarray(0, 20)),
      { 'content-encoding': 'gzip' },
      400,
      'bad_request',
    ],
    ['another encoding', '{}', { 'content-encoding': 'br' }, 415, 'unsupported_media_type'],
    [
      'another type',
      'sensor=a',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'unsupported_media_type',
    ],
    ['bytes that are no UTF-8', Uint8Array.of(0x22, 0xff, 0x22), {}, 400, 'bad_request'],
    ['an empty array', '[]', {}, 422, 'nothing_accepted'],
    ['a number', '5', {}, 422, 'nothing_accepted'],
  ])('refuses %s', async (_name, body, headers, status, code) => {
    const answer = await post(body, headers);
    expect(answer.status).toBe(status);
    expect(answer.json.code).toBe(code);
  });

  it('lists what was wrong when nothing was accepted', async () => {
    const { json } = await post('[{"sensor":"a"},7]');
    expect(json).toMatchObject({ accepted: 0, ids: [], rejected: [{ index: 0 }, { index: 1 }] });
  });

  it('answers 503 with Retry-After when the spool is full', async () => {
    platform.acceptor.errors.push(
      new TidemarkError('spool_full', 'the spool is full', { retryable: true, retryAfterMs: 4500 }),
    );
    const { response, json } = await post('{"sensor":"a","v":1}');
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('5');
    expect(json.code).toBe('spool_full');
  });

  it('says what was stored before the spool became full', async () => {
    platform.acceptor.errors.push(
      undefined,
      new TidemarkError('spool_full', 'the spool is full', { retryable: true }),
    );
    const { status, json } = await post(
      JSON.stringify([1, 2, 3, 4].map((n) => ({ sensor: 'part', v: n, time: n }))),
    );
    expect(status).toBe(503);
    expect(json).toMatchObject({ code: 'spool_full', accepted: 3 });
    expect(json.ids).toHaveLength(3);
  });
});
