import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askerOf } from '../testing/ask.ts';
import { startTestPlatform } from '../testing/test-platform.ts';

let platform: Awaited<ReturnType<typeof startTestPlatform>>;
let ask: ReturnType<typeof askerOf>;

beforeAll(async () => {
  platform = await startTestPlatform();
  ask = askerOf(platform.app);
  for (const id of ['hall', 'yard', 'shed']) await ask('POST', '/locations', { id });
});
afterAll(() => platform.stop());

const full = {
  kind: 'thermometer',
  metrics: { temperature: { unit: '°C', min: -20, max: 60 }, __proto__x: {} },
  location: 'hall',
  expectedInterval: '90s',
  owner: 'ops@example.org',
  labels: { floor: '2', 'déjà vu': 'oui' },
  state: 'maintenance',
  timeFrom: 'server',
};

describe('a sensor', () => {
  it('is registered, and shown as it was declared', async () => {
    const created = await ask('POST', '/sensors', { id: 'Wetter Süd', ...full });
    expect(created.status).toBe(201);
    expect(created.headers.get('location')).toBe('/api/v1/sensors/Wetter%20S%C3%BCd');
    const shown = await ask('GET', '/sensors/Wetter%20S%C3%BCd');
    expect(shown).toMatchObject({ status: 200, etag: created.etag });
    expect(shown.json).toEqual({
      id: 'Wetter Süd',
      ...full,
      locationHistory: [{ location: 'hall', from: '1970-01-01T00:00:00Z' }],
      selfRegistered: false,
      formerIds: [],
      createdAt: expect.stringMatching(/Z$/),
      updatedAt: expect.stringMatching(/Z$/),
    });
    expect((await ask('POST', '/sensors', { id: 'Wetter Süd' })).json).toMatchObject({
      status: 409,
      code: 'conflict',
    });
  });

  it('with only an id is active, at no location, and says nothing else', async () => {
    const { json } = await ask('POST', '/sensors', { id: 'bare' });
    expect(json).toMatchObject({
      kind: null,
      metrics: {},
      location: null,
      locationHistory: [],
      state: 'active',
      timeFrom: 'device',
      expectedInterval: null,
      owner: null,
      labels: {},
    });
  });

  it('keeps names that JavaScript has for itself', async () => {
    const body =
      '{"id": "constructor", "metrics": {"__proto__": {"min": 1}, "toString": {}}, "labels": {"__proto__": "x"}}';
    expect((await ask('POST', '/sensors', body)).status).toBe(201);
    const text = JSON.stringify((await ask('GET', '/sensors/constructor')).json);
    expect(text).toContain('"metrics":{"__proto__":{"min":1},"toString":{}}');
    expect(text).toContain('"labels":{"__proto__":"x"}');
    expect((await ask('GET', '/sensors/toString')).status).toBe(404);
  });

  it('is refused with everything that is wrong, by path', async () => {
    const { status, json } = await ask('POST', '/sensors', {
      id: 'a/b',
      kind: '',
      metrics: { ok: {}, 'a#b': {}, t: { min: 3, max: 2 }, u: { min: 'x', width: 1 } },
      location: 'nowhere',
      locationHistory: [
        { location: 'hall', from: '2026-01-02T00:00:00Z' },
        { location: 'gone', from: '2026-01-01T00:00:00Z' },
        { location: null, from: 'soon' },
      ],
      expectedInterval: '0s',
      labels: { floor: 2 },
      state: 'asleep',
      timeFrom: 'moon',
      createdAt: '2026-01-01T00:00:00Z',
      colour: 'red',
    });
    expect(status).toBe(400);
    expect(json.errors.map(({ path }: { path: string }) => path).sort()).toEqual(
      [
        'id',
        'kind',
        'metrics.a#b',
        'metrics.t.min',
        'metrics.u.min',
        'metrics.u.width',
        'location',
        'locationHistory.1.location',
        'locationHistory.2.from',
        'expectedInterval',
        'labels.floor',
        'state',
        'timeFrom',
        'createdAt',
        'colour',
      ].sort(),
    );
  });

  it.each([
    ['[]', /object/],
    ['{}', /id/],
    ['{"id": 5}', /id: must be a string/],
    ['{"id": "x", "since": "2026-01-01T00:00:00Z"}', /since/],
    [
      '{"id": "x", "locationHistory": [{"location": "hall", "from": 5}, {"location": "yard", "from": 5}]}',
      /not after/,
    ],
    ['{"id": "x",}', /position 11/],
  ])('%s is refused', async (body, detail) => {
    const { status, json } = await ask('POST', '/sensors', body);
    expect(status).toBe(400);
    expect(json.detail).toMatch(detail);
  });

  it('that registered itself is taken over by who declares it', async () => {
    platform.registry.register('wild', 'jungle', ['t']);
    expect((await ask('GET', '/sensors/wild')).json).toMatchObject({
      selfRegistered: true,
      location: 'jungle',
      locationHistory: [],
      metrics: { t: {} },
    });
    const { status, json } = await ask('POST', '/sensors', { id: 'wild', location: 'yard' });
    expect(status).toBe(201);
    expect(json).toMatchObject({
      selfRegistered: false,
      location: 'yard',
      locationHistory: [{ from: '1970-01-01T00:00:00Z' }],
    });
  });

  it('is seen first and last when the store says so', async () => {
    await ask('POST', '/sensors', { id: 'seen' });
    const readings = [3, 1, 2].map((n) => ({ sensor: 'seen', t: n, time: `2026-05-0${n}T00:00:00Z` }));
    await ask('POST', '/readings', readings);
    const times = { firstSeen: '2026-05-01T00:00:00Z', lastSeen: '2026-05-03T00:00:00Z' };
    expect((await ask('GET', '/sensors/seen')).json).toMatchObject(times);
    const { json } = await ask('GET', '/sensors?q=SEEN');
    expect(json.items).toMatchObject([{ id: 'seen', lastSeen: times.lastSeen }]);
  });
});

describe('a change', () => {
  it('asks for the ETag that it was made from, and the second of two is refused', async () => {
    const { etag } = await ask('POST', '/sensors', { id: 'v', owner: 'first' });
    expect((await ask('PUT', '/sensors/v', { owner: 'x' })).json).toMatchObject({
      status: 428,
      code: 'precondition_required',
    });
    const won = await ask('PUT', '/sensors/v', { owner: 'second' }, { 'if-match': etag });
    expect(won.status).toBe(200);
    for (const method of ['PUT', 'PATCH']) {
      const lost = await ask(method, '/sensors/v', { owner: 'third' }, { 'if-match': etag });
      expect(lost.json).toMatchObject({ status: 412, code: 'precondition_failed' });
    }
    expect((await ask('GET', '/sensors/v')).json.owner).toBe('second');
    expect((await ask('PUT', '/sensors/v', { owner: 'fourth' }, { 'if-match': '*' })).status).toBe(200);
    expect((await ask('PUT', '/sensors/v', {}, { 'if-none-match': '*' })).status).toBe(412);
    expect((await ask('PUT', '/sensors/unknown', {}, { 'if-match': '*' })).status).toBe(412);
    expect((await ask('PUT', '/sensors/by-put', { kind: 'k' }, { 'if-none-match': '*' })).status).toBe(201);
  });

  it('of what was answered sends it back whole: nothing but the version changes', async () => {
    await ask('POST', '/sensors', { id: 'round', ...full });
    const before = await ask('GET', '/sensors/round');
    const { status, json, etag } = await ask('PUT', '/sensors/round', before.json, {
      'if-match': before.etag,
    });
    expect(status).toBe(200);
    expect({ ...json, updatedAt: '' }).toEqual({ ...before.json, updatedAt: '' });
    expect(etag).not.toBe(before.etag);
  });

  it('by PATCH leaves the rest, and null takes away', async () => {
    await ask('POST', '/sensors', { id: 'p', ...full });
    const patch = {
      owner: null,
      labels: { floor: null, wing: 'east' },
      metrics: { temperature: { max: 50 } },
    };
    const { status, json } = await ask('PATCH', '/sensors/p', patch, {
      'content-type': 'application/merge-patch+json',
    });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      kind: 'thermometer',
      owner: null,
      labels: { 'déjà vu': 'oui', wing: 'east' },
      location: 'hall',
    });
    expect(json.metrics.temperature).toEqual({ unit: '°C', min: -20, max: 50 });
    expect(Object.keys(json.labels)).toHaveLength(2);
    expect(
      (await ask('PATCH', '/sensors/p', { metrics: { temperature: { min: 51 } } })).json.errors,
    ).toMatchObject([{ path: 'metrics.temperature.min' }]);
  });

  it('of a read-only member is refused', async () => {
    await ask('POST', '/sensors', { id: 'ro' });
    const { json } = await ask('PATCH', '/sensors/ro', {
      id: 'other',
      createdAt: 'x',
      selfRegistered: true,
      formerIds: ['y'],
    });
    expect(json.errors.map(({ path }: { path: string }) => path)).toEqual(
      expect.arrayContaining(['id', 'createdAt', 'selfRegistered', 'formerIds']),
    );
  });
});

describe('a move', () => {
  it('is from now on, or from `since`; where it was before stays', async () => {
    await ask('POST', '/sensors', { id: 'm', location: 'hall' });
    const before = new Date().toISOString();
    const moved = (await ask('PATCH', '/sensors/m', { location: 'yard' })).json;
    expect(moved).toMatchObject({
      location: 'yard',
      locationHistory: [{ location: 'hall' }, { location: 'yard' }],
    });
    expect(moved.locationHistory[1].from >= before).toBe(true);
    const past = (await ask('PATCH', '/sensors/m', { location: 'shed', since: '2026-01-01T00:00:00Z' })).json;
    expect(past.locationHistory).toEqual([
      { location: 'hall', from: '1970-01-01T00:00:00Z' },
      { location: 'shed', from: '2026-01-01T00:00:00Z' },
    ]);
    expect((await ask('PATCH', '/sensors/m', { location: 'shed' })).json.locationHistory).toHaveLength(2);
    const nowhere = (await ask('PATCH', '/sensors/m', { location: null })).json;
    expect(nowhere).toMatchObject({ location: null, locationHistory: [{}, {}, { location: null }] });
    const planned = (await ask('PATCH', '/sensors/m', { location: 'hall', since: '2100-01-01T00:00:00Z' }))
      .json;
    expect(planned).toMatchObject({ location: null, locationHistory: [{}, {}, {}, { location: 'hall' }] });
  });
});

describe('the list', () => {
  beforeAll(async () => {
    for (let n = 0; n < 25; n++) {
      const id = `list-${String(n).padStart(2, '0')}`;
      await ask('POST', '/sensors', {
        id,
        kind: n % 2 ? 'odd' : 'even',
        owner: `o${n % 3}`,
        labels: { third: String(n % 3), all: 'x' },
        ...(n < 5 && { location: 'shed' }),
      });
    }
  });
  const idsOf = async (query: string): Promise<string[]> =>
    (await ask('GET', `/sensors?${query}`)).json.items.map(({ id }: { id: string }) => id);

  it('pages through all of them once, in order', async () => {
    const seen: string[] = [];
    for (let cursor = ''; ; ) {
      const { json } = await ask('GET', `/sensors?q=list-&limit=4${cursor}`);
      seen.push(...json.items.map(({ id }: { id: string }) => id));
      expect(json.count).toBe(json.items.length);
      if (json.next === null) break;
      cursor = `&cursor=${json.next}`;
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => `list-${String(n).padStart(2, '0')}`));
  });

  it('filters', async () => {
    expect(await idsOf('q=list-&location=shed')).toEqual([
      'list-00',
      'list-01',
      'list-02',
      'list-03',
      'list-04',
    ]);
    expect(await idsOf('kind=odd&label=third=2&label=all')).toEqual([
      'list-05',
      'list-11',
      'list-17',
      'list-23',
    ]);
    expect(await idsOf('owner=o0&kind=even&limit=2')).toEqual(['list-00', 'list-06']);
    expect(await idsOf('label=none')).toEqual([]);
    expect(await idsOf('state=maintenance&q=wetter')).toEqual(['Wetter Süd']);
  });

  it.each(['limit=0', 'state=x', 'colour=red', 'cursor=x'])('refuses %s', async (query) => {
    expect((await ask('GET', `/sensors?${query}`)).status).toBe(400);
  });
});
