import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

let platform: Awaited<ReturnType<typeof startTestPlatform>>;

beforeAll(async () => {
  platform = await startTestPlatform();
  const items = [1, 2, 3, 4, 5].flatMap((time) => [
    { sensor: 'a', location: 'north', time, temperature: 20 + time, humidity: 40 },
    { sensor: 'b', time, temperature: 10 + time, note: `n${time}` },
  ]);
  await platform.app.request('/api/v1/readings', {
    method: 'POST',
    body: JSON.stringify([...items, { sensor: 'x,y', time: 9, v: 1 }]),
    headers: { 'content-type': 'application/json' },
  });
});
afterAll(() => platform.stop());

async function get(path: string) {
  const response = await platform.app.request(path);
  return { status: response.status, json: await response.json() };
}

const ids = (json: { items: { id: string }[] }) => json.items.map(({ id }) => id);

describe('GET /api/v1/readings', () => {
  it('lists flat readings by time, then sensor', async () => {
    const { json } = await get('/api/v1/readings?to=3');
    expect(json).toMatchObject({ count: 4, isEmpty: false, next: null });
    expect(json.items[0]).toEqual({
      id: 'a@1000000000',
      sensor: 'a',
      location: 'north',
      time: '1970-01-01T00:00:01Z',
      temperature: 21,
      humidity: 40,
    });
    expect(ids(json)).toEqual(['a@1000000000', 'b@1000000000', 'a@2000000000', 'b@2000000000']);
  });

  it.each(['asc', 'desc'])('pages through all of them once (%s)', async (order) => {
    const seen: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const cursor: string = next === '' ? '' : `&cursor=${next}`;
      const { json } = await get(`/api/v1/readings?limit=3&order=${order}${cursor}`);
      seen.push(...ids(json));
      next = json.next;
    }
    const { json } = await get(`/api/v1/readings?order=${order}`);
    expect(json.count).toBe(11);
    expect(seen).toEqual(ids(json));
  });

  it.each([
    ['sensor=b&from=4', ['b@4000000000', 'b@5000000000']],
    ['sensor=a,b&from=5&to=6', ['a@5000000000', 'b@5000000000']],
    ['sensor=a&sensor=b&from=5&to=6', ['a@5000000000', 'b@5000000000']],
    ['location=north&from=5&to=6', ['a@5000000000']],
    ['metric=note&order=desc&limit=1', ['b@5000000000']],
    ['sensor=x%5C,y', ['x,y@9000000000']],
    ['sensor=nobody', []],
  ])('filters by %s', async (query, expected) => {
    const { json } = await get(`/api/v1/readings?${query}`);
    expect(ids(json)).toEqual(expected);
    expect(json.isEmpty).toBe(expected.length === 0);
  });

  it('answers the first, the last and one by id', async () => {
    expect((await get('/api/v1/readings/first')).json.id).toBe('a@1000000000');
    expect((await get('/api/v1/readings/last?metric=temperature')).json.id).toBe('b@5000000000');
    expect((await get('/api/v1/readings/b@2000000000')).json.note).toBe('n2');
  });

  it.each([
    '/api/v1/readings/last?sensor=nobody',
    '/api/v1/readings/a@1500000000',
    '/api/v1/readings/a@9999999999999999999',
  ])('answers 404 for %s', async (path) => {
    expect(await get(path)).toMatchObject({ status: 404, json: { code: 'not_found' } });
  });

  it.each([
    ['/api/v1/readings?limit=0', 'limit'],
    ['/api/v1/readings?limit=10001', 'limit'],
    ['/api/v1/readings?limit=ten', 'limit'],
    ['/api/v1/readings?order=up', 'order'],
    ['/api/v1/readings?from=yesterday', 'from'],
    ['/api/v1/readings?from=5&to=5', 'from'],
    ['/api/v1/readings?from=1&from=2', 'from'],
    ['/api/v1/readings?colour=red', 'colour'],
    ['/api/v1/readings?cursor=abc', 'cursor'],
    ['/api/v1/readings?cursor=WyJ4IiwieSJd', 'cursor'],
    ['/api/v1/readings?sensor=a%00b', 'sensor'],
    ['/api/v1/readings?sensor=', 'sensor'],
    ['/api/v1/readings/first?limit=2', 'limit'],
    ['/api/v1/readings/a', 'id'],
    ['/api/v1/readings/a@1?x=1', 'x'],
    ['/api/v1/latest?limit=1', 'limit'],
  ])('refuses %s and names the field', async (path, field) => {
    const { status, json } = await get(path);
    expect(status).toBe(400);
    expect(json).toMatchObject({ code: 'bad_request', errors: [{ path: field }] });
  });

  it.each([
    'from=0001-01-01T00:00:00Z',
    'to=9999-12-31T23:59:59Z',
    'from=-9223372036854775808',
    'from=now-9000000d',
  ])('takes %s, beyond what nanoseconds can tell, as everything', async (query) => {
    expect((await get(`/api/v1/readings?${query}`)).json.count).toBe(11);
  });
});

describe('GET /api/v1/latest', () => {
  it('lists the newest value of each sensor and metric', async () => {
    const { json } = await get('/api/v1/latest?sensor=a,b');
    expect(
      json.items.map(({ sensor, metric, value }: Record<string, unknown>) => [sensor, metric, value]),
    ).toEqual([
      ['a', 'humidity', 40],
      ['a', 'temperature', 25],
      ['b', 'note', 'n5'],
      ['b', 'temperature', 15],
    ]);
    expect(json.items[0]).toMatchObject({ location: 'north', time: '1970-01-01T00:00:05Z' });
    expect(json.items[2].location).toBeNull();
  });
});

describe('the lag of queries', () => {
  it('is told when the store could not catch up', async () => {
    const lagging = await startTestPlatform({ freshness: { flush: async () => 1234.2 } });
    try {
      for (const path of ['readings', 'readings/last', 'latest', 'windows']) {
        const response = await lagging.app.request(`/api/v1/${path}`);
        expect(response.headers.get('tidemark-lag-ms'), path).toBe('1235');
      }
    } finally {
      await lagging.stop();
    }
    expect((await platform.app.request('/api/v1/latest')).headers.get('tidemark-lag-ms')).toBeNull();
  });
});
