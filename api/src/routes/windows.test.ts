import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

let platform: Awaited<ReturnType<typeof startTestPlatform>>;

beforeAll(async () => {
  platform = await startTestPlatform();
  const items = Array.from({ length: 120 }, (_, second) => ({
    sensor: second % 2 === 0 ? 'a' : 'b, "north"',
    time: `2026-05-01 12:${String(Math.floor(second / 60)).padStart(2, '0')}:${String(second % 60).padStart(2, '0')}`,
    temperature: second,
  }));
  await platform.app.request('/api/v1/readings', {
    method: 'POST',
    body: JSON.stringify(items),
    headers: { 'content-type': 'application/json' },
  });
});
afterAll(() => platform.stop());

const range = 'from=2026-05-01T12:00:00Z&to=2026-05-01T12:02:00Z';

async function get(query: string, headers: Record<string, string> = {}) {
  const response = await platform.app.request(`/api/v1/windows?${query}`, { headers });
  return { response, status: response.status };
}

describe('GET /api/v1/windows', () => {
  it('answers count, min, mean and max unless asked for others', async () => {
    const { response } = await get(`${range}&every=1m`);
    expect(await response.json()).toEqual({
      items: [
        { time: '2026-05-01T12:00:00Z', metric: 'temperature', count: 60, min: 0, mean: 29.5, max: 59 },
        { time: '2026-05-01T12:01:00Z', metric: 'temperature', count: 60, min: 60, mean: 89.5, max: 119 },
      ],
      count: 2,
      isEmpty: false,
      next: null,
    });
  });

  it('takes functions, tags and fill', async () => {
    const to = 'from=2026-05-01T12:00:00Z&to=2026-05-01T12:04:00Z';
    const { response } = await get(`${to}&every=2m&fn=last,p50&fn=last&by=sensor&sensor=a&fill=null`);
    expect((await response.json()).items).toEqual([
      { time: '2026-05-01T12:00:00Z', metric: 'temperature', sensor: 'a', last: 118, p50: 58 },
      { time: '2026-05-01T12:02:00Z', metric: 'temperature', sensor: 'a', last: null, p50: null },
    ]);
  });

  it('tells metrics apart in any case, sensors and locations when asked to, in the order asked', async () => {
    const items = [
      { sensor: 'c', time: '2026-05-02 12:00:00', humidity: 40, temperature: 20, location: 'hall' },
      { sensor: 'd', time: '2026-05-02 12:00:00', humidity: 60, temperature: 30 },
      { sensor: 'e', time: '2026-05-02 12:00:00', humidity: 80 },
    ];
    await platform.app.request('/api/v1/readings', {
      method: 'POST',
      body: JSON.stringify(items),
      headers: { 'content-type': 'application/json' },
    });
    const asked = 'from=2026-05-02 12:00:00&to=2026-05-02 12:01:00&every=1m&sensor=c,d&fn=sum';
    const time = '2026-05-02T12:00:00Z';
    for (const by of ['', '&by=metric']) {
      expect((await (await get(asked + by)).response.json()).items).toEqual([
        { time, metric: 'humidity', sum: 100 },
        { time, metric: 'temperature', sum: 50 },
      ]);
    }
    const { response } = await get(`${asked}&by=location,metric,sensor&metric=temperature&metric=nothing`);
    expect(await response.text()).toContain(
      JSON.stringify([
        { time, metric: 'temperature', location: null, sensor: 'd', sum: 30 },
        { time, metric: 'temperature', location: 'hall', sensor: 'c', sum: 20 },
      ]),
    );
  });

  it('takes a time zone, in which a day may have 25 hours, and fills', async () => {
    const hours = ['2025-10-25T22:00:00Z', '2025-10-26T22:59:59Z', '2025-10-26T23:00:00Z'];
    await platform.app.request('/api/v1/readings', {
      method: 'POST',
      body: JSON.stringify(hours.map((time, index) => ({ sensor: 'z', time, level: index }))),
      headers: { 'content-type': 'application/json' },
    });
    const range = 'from=2025-10-24T22:00:00Z&to=2025-10-28T23:00:00Z';
    const days = `${range}&every=1d&tz=Europe/Berlin&metric=level&fn=count,last&fill=previous`;
    const { response } = await get(days, { accept: 'text/csv' });
    expect((await response.text()).split('\r\n')).toEqual([
      'time,metric,count,last',
      '2025-10-24T22:00:00Z,level,,',
      '2025-10-25T22:00:00Z,level,2,1',
      '2025-10-26T23:00:00Z,level,1,2',
      '2025-10-27T23:00:00Z,level,1,2',
      '',
    ]);
  });

  it('cuts an hour up to now into readable windows by default', async () => {
    const { response } = await get('');
    expect(await response.json()).toMatchObject({ items: [], isEmpty: true });
    const { response: day } = await get('from=2026-05-01T00:00:00Z&to=2026-05-02T00:00:00Z');
    // 86 400 s in at most 500 windows: 5 minutes.
    expect((await day.json()).items).toMatchObject([{ time: '2026-05-01T12:00:00Z', count: 120 }]);
  });

  it('answers CSV when asked to, quoted where needed', async () => {
    const { response } = await get(`${range}&every=2m&by=sensor&fn=count,stddev&metric=temperature`, {
      accept: 'text/csv',
    });
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const lines = (await response.text()).split('\r\n');
    expect(lines[0]).toBe('time,metric,sensor,count,stddev');
    expect(lines[1]).toMatch(/^2026-05-01T12:00:00Z,temperature,a,60,34\.9/);
    expect(lines[2]).toMatch(/^2026-05-01T12:00:00Z,temperature,"b, ""north""",60,34\.9/);
    expect(lines[3]).toBe('');
  });

  it('answers thousands of windows whole, in pieces', async () => {
    const long = 'from=2026-05-01T12:00:00Z&to=2026-05-01T12:41:40Z&every=1s&fn=count,max&fill=null';
    const { response } = await get(long);
    const list = await response.clone().json();
    expect(list).toMatchObject({ count: 2500, isEmpty: false, next: null });
    expect(list.items.map(({ time }: { time: string }) => time)).toEqual(
      Array.from({ length: 2500 }, (_, second) =>
        new Date(Date.UTC(2026, 4, 1, 12, 0, second)).toISOString().replace('.000', ''),
      ),
    );
    let pieces = 0;
    for await (const _ of response.body!) pieces += 1;
    expect(pieces).toBeGreaterThan(3);
    const { response: csv } = await get(long, { accept: 'text/csv' });
    const lines = (await csv.text()).split('\r\n');
    expect(lines).toHaveLength(2502);
    expect(lines.slice(119, 122)).toEqual([
      '2026-05-01T12:01:58Z,temperature,1,118',
      '2026-05-01T12:01:59Z,temperature,1,119',
      '2026-05-01T12:02:00Z,temperature,0,',
    ]);
  });

  it.each([
    ['text/html,application/json;q=0.9,*/*;q=0.8', 'application/json'],
    ['application/json, text/csv;q=0.5', 'application/json'],
    ['text/csv, application/json;q=0.5', 'text/csv; charset=utf-8'],
    ['text/*', 'text/csv; charset=utf-8'],
    ['*/*', 'application/json'],
  ])('answers Accept %s with %s', async (accept, type) => {
    const { response } = await get(range, { accept });
    expect(response.headers.get('content-type')).toBe(type);
  });

  it.each([
    ['fn=avg', 'fn'],
    ['fn=p99.91', 'fn'],
    ['every=101w&every=1m', 'every'],
    ['fn=p0', 'fn'],
    ['fn=', 'fn'],
    ['by=country', 'by'],
    ['every=fast', 'every'],
    ['every=0s', 'every'],
    ['fill=most', 'fill'],
    ['fill=', 'fill'],
    ['tz=Mars/Olympus', 'tz'],
    ['from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z', 'from'],
    ['step=1m', 'step'],
  ])('refuses %s and names the field', async (query, field) => {
    const { response, status } = await get(query);
    expect(status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'bad_request', errors: [{ path: field }] });
  });

  it.each([
    'from=1970-01-01T00:00:00Z&every=1ns',
    'from=0001-01-01T00:00:00Z&to=9999-01-01T00:00:00Z&every=1s&fill=0',
  ])('refuses %s: too many windows', async (query) => {
    expect((await get(query)).status).toBe(400);
  });
});
