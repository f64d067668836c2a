import { createLogger } from '@tidemark/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryJournal } from '../testing/memory-journal.ts';
import { startTestPlatform } from '../testing/test-platform.ts';

let platform: Awaited<ReturnType<typeof startTestPlatform>>;

beforeAll(async () => {
  platform = await startTestPlatform();
  for (const v of [1, 2, 3]) await post({ sensor: v === 2 ? 'b' : 'a', v, time: v });
});
afterAll(() => platform.stop());

async function post(reading: unknown): Promise<void> {
  const response = await platform.app.request('/api/v1/readings', {
    method: 'POST',
    body: JSON.stringify(reading),
    headers: { 'content-type': 'application/json' },
  });
  expect(response.status).toBe(200);
}

/** The text of a stream up to where it first holds `end`; closes it then. */
async function readTo(response: Response, end: string): Promise<string> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes(end)) text += (await reader.read()).value;
  await reader.cancel();
  return text;
}

async function metric(name: string): Promise<number> {
  const text = await platform.parts.metrics.metrics();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

describe('GET /api/v1/live', () => {
  it('streams what matches, each with the place to resume at', async () => {
    const response = await platform.app.request('/api/v1/live?sensor=a', {
      headers: { 'last-event-id': '0' },
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const text = await readTo(response, '"v":3');
    expect(text).toContain(
      'id: 100\ndata: {"id":"a@1000000000","sensor":"a","location":null,"time":"1970-01-01T00:00:01Z","v":1}\n\n',
    );
    expect(text).toContain('id: 300\ndata: {"id":"a@3000000000"');
    expect(text).not.toContain('"v":2');
  });

  it('follows from now on when it is not told where to resume', async () => {
    const response = await platform.app.request('/api/v1/live');
    const text = readTo(response, '"v":4');
    await post({ sensor: 'a', v: 4, time: 4 });
    expect(await text).not.toContain('"v":3');
  });

  it('tells of a gap by an event of its own', async () => {
    const response = await platform.app.request('/api/v1/live', { headers: { 'last-event-id': '999999' } });
    expect(await readTo(response, 'event: gap')).toMatch(
      /id: \d+\nevent: gap\ndata: \{"reason":"ahead","from":\d+,"to":999999,"skipped":null\}/,
    );
  });

  it('forgets clients that are gone, and those that never wanted the body', async () => {
    const before = await metric('tidemark_live_clients');
    const responses = await Promise.all([1, 2, 3].map(() => platform.app.request('/api/v1/live')));
    expect(await metric('tidemark_live_clients')).toBe(before + 3);
    for (const response of responses) await response.body!.cancel();
    expect((await platform.app.request('/api/v1/live', { method: 'HEAD' })).status).toBe(200);
    expect(await metric('tidemark_live_clients')).toBe(before);
  });

  it('has room for a thousand clients, then says so', async () => {
    const responses = await Promise.all(
      Array.from({ length: 1000 }, () => platform.app.request('/api/v1/live')),
    );
    const refused = await platform.app.request('/api/v1/live');
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ code: 'unavailable' });
    await Promise.all(responses.map((response) => response.body!.cancel()));
    const again = await platform.app.request('/api/v1/live');
    expect(again.status).toBe(200);
    await again.body!.cancel();
  });

  it.each(['abc', '-1', '1.5', '9'.repeat(16)])('refuses the event id %s', async (id) => {
    const response = await platform.app.request('/api/v1/live', { headers: { 'last-event-id': id } });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ path: 'last-event-id' }] });
  });

  it('cuts a client off with a word in the log when the readings cannot be read', async () => {
    const lines: string[] = [];
    const broken = await startTestPlatform({
      logger: createLogger('error', { write: (line) => void lines.push(line) }),
      journal: Object.assign(new MemoryJournal(), {
        read: () => {
          throw new Error('EIO');
        },
      }),
    });
    const response = await broken.app.request('/api/v1/live');
    await expect(response.text()).rejects.toThrow('EIO');
    expect(lines).toEqual([expect.stringMatching(/a live client is cut off.*/)]);
    await broken.stop();
  });
});
