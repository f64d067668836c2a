import { sortedTracks, travellerPoints } from '@tidemark/store/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

let platform: Awaited<ReturnType<typeof startTestPlatform>>;

const startNs = 1_777_636_800_000_000_000n;

/** At one position after another, so many metres and seconds apart. */
function track(
  traveller: string,
  type: string,
  positions: number,
  metres: number,
  seconds: number,
  from = 0,
) {
  return Array.from({ length: positions }, (_, step) => ({
    sensor: 'gate',
    type,
    traveller,
    timeNs: startNs + BigInt(from + step * seconds) * 1_000_000_000n,
    x: step * metres,
    y: 0,
  }));
}

beforeAll(async () => {
  platform = await startTestPlatform();
  // A walker of 2 m/s for 90 s, and a car that passes meanwhile.
  const sent = [...track('w', 'pedestrian', 46, 4, 2), ...track('c', 'car', 2, 30, 1, 6)];
  await platform.engine.write(travellerPoints(sortedTracks(sent, 60_000_000_000n)));
});
afterAll(() => platform.stop());

const range = 'from=2026-05-01T12:00:00Z&to=2026-05-01T12:03:00Z';

async function get(path: string, headers: Record<string, string> = {}) {
  const response = await platform.app.request(`/api/v1/travellers${path}`, { headers });
  return { status: response.status, response };
}

describe('GET /api/v1/travellers/windows', () => {
  it('answers by the minute, empty windows too', async () => {
    const { response } = await get(`/windows?${range}`);
    const speeds = (speed: number | null) => ({ minSpeed: speed, meanSpeed: speed, maxSpeed: speed });
    const time = (minute: number) => `2026-05-01T12:0${minute}:00Z`;
    const of = (type: string, minute: number, count: number, speed: number | null) => ({
      time: time(minute),
      sensor: 'gate',
      type,
      count,
      ...speeds(speed),
    });
    expect(await response.json()).toEqual({
      items: [
        of('car', 0, 1, 30),
        of('car', 1, 0, null),
        of('car', 2, 0, null),
        of('pedestrian', 0, 1, 2),
        of('pedestrian', 1, 1, 2),
        of('pedestrian', 2, 0, null),
      ],
      count: 6,
      isEmpty: false,
      next: null,
    });
  });

  it('takes filters, and windows that overlap', async () => {
    const { response } = await get(`/windows?${range}&type=pedestrian&sensor=gate&every=30s&window=1m`);
    const { items } = await response.json();
    expect(items.map(({ count }: { count: number }) => count)).toEqual([1, 1, 1, 1, 0, 0]);
  });

  it('answers CSV where it is asked for', async () => {
    const { response } = await get(`/windows?${range}&type=car&every=3m`, { accept: 'text/csv' });
    expect(await response.text()).toBe(
      'time,sensor,type,count,minSpeed,meanSpeed,maxSpeed\r\n2026-05-01T12:00:00Z,gate,car,1,30,30,30\r\n',
    );
  });

  it.each([
    ['every=0s', 'every'],
    ['window=often', 'window'],
    ['type=a/b', 'type'],
    ['from=2026-05-01T00:00:00Z&to=2026-04-01T00:00:00Z', 'from'],
    ['by=sensor', 'by'],
  ])('refuses %s, and names it', async (query, path) => {
    const { response, status } = await get(`/windows?${query}`);
    expect(status).toBe(400);
    expect(JSON.stringify(await response.json())).toContain(`"${path}"`);
  });

  it('refuses more windows than it can answer', async () => {
    expect((await get('/windows?from=1970-01-01T00:00:00Z&every=1s')).status).toBe(400);
    expect(
      (await get('/windows?from=2026-05-01T00:00:00Z&to=2026-05-02T00:00:00Z&every=7ns&window=1000s')).status,
    ).toBe(400);
  });
});

describe('GET /api/v1/travellers', () => {
  it('answers one record a stay, page by page', async () => {
    const first = await (await get(`?${range}&limit=1`)).response.json();
    expect(first).toMatchObject({
      items: [
        {
          traveller: 'w',
          type: 'pedestrian',
          sensor: 'gate',
          entry: '2026-05-01T12:00:00Z',
          exit: '2026-05-01T12:01:30Z',
          minSpeed: 2,
          meanSpeed: 2,
          maxSpeed: 2,
          positions: 46,
        },
      ],
      count: 1,
    });
    const second = await (await get(`?${range}&limit=1&cursor=${first.next}`)).response.json();
    expect(second).toMatchObject({ items: [{ traveller: 'c', positions: 2, minSpeed: 30 }], next: null });
  });

  it('answers the latest first where it is asked for', async () => {
    const first = await (await get(`?${range}&order=desc&limit=1`)).response.json();
    expect(first).toMatchObject({ items: [{ traveller: 'c' }], count: 1 });
    const second = await (await get(`?${range}&order=desc&limit=1&cursor=${first.next}`)).response.json();
    expect(second).toMatchObject({ items: [{ traveller: 'w' }], next: null });
    expect((await get(`?${range}&order=up`)).status).toBe(400);
  });

  it('refuses a cursor of another list', async () => {
    const other = Buffer.from(JSON.stringify(['5', 'x'])).toString('base64url');
    for (const cursor of ['x', other]) expect((await get(`?${range}&cursor=${cursor}`)).status).toBe(400);
  });
});
