import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askerOf } from '../testing/ask.ts';
import { startTestPlatform } from '../testing/test-platform.ts';

let platform: Awaited<ReturnType<typeof startTestPlatform>>;
let ask: ReturnType<typeof askerOf>;

beforeAll(async () => {
  platform = await startTestPlatform();
  ask = askerOf(platform.app);
});
afterAll(() => platform.stop());

describe('an import', () => {
  const document = {
    sensors: [
      { id: 'i1', location: 'inner', metrics: { t: { unit: '°C' } }, owner: 'a' },
      { id: 'i2', locationHistory: [{ location: 'inner', from: '2026-01-01T00:00:00Z' }] },
    ],
    locations: [
      { id: 'inner', parent: 'outer' },
      { id: 'outer', name: 'Outer' },
    ],
  };

  it('says what it would do, does it, and does nothing the second time', async () => {
    const dry = await ask('POST', '/registry/import?dryRun=true', document);
    expect(dry.json).toMatchObject({ dryRun: true, created: 4, updated: 0, unchanged: 0 });
    expect((await ask('GET', '/sensors/i1')).status).toBe(404);
    expect((await ask('POST', '/registry/import', document)).json).toMatchObject({
      dryRun: false,
      created: 4,
    });
    const { etag } = await ask('GET', '/sensors/i1');
    expect((await ask('POST', '/registry/import', document)).json).toMatchObject({
      created: 0,
      updated: 0,
      unchanged: 4,
    });
    expect((await ask('GET', '/sensors/i1')).etag).toBe(etag);
  });

  it('changes what it gives and leaves what it does not', async () => {
    const { json } = await ask('POST', '/registry/import', {
      sensors: [{ id: 'i1', kind: 'k', metrics: { u: {} } }],
    });
    expect(json.changes).toEqual([
      { type: 'sensor', id: 'i1', action: 'update', members: ['kind', 'metrics'] },
    ]);
    expect((await ask('GET', '/sensors/i1')).json).toMatchObject({
      owner: 'a',
      location: 'inner',
      metrics: { u: {} },
    });
  });

  it('with anything wrong changes nothing, and says all of it', async () => {
    const { status, json } = await ask('POST', '/registry/import', {
      locations: [
        { id: 'x1', parent: 'x2' },
        { id: 'x2', parent: 'x1' },
        { id: 'x3', latitude: 100, longitude: 0 },
      ],
      sensors: [{ id: 'y1' }, { id: 'y1' }, { id: 'y2', location: 'x9' }, 5],
      rules: [],
    });
    expect(status).toBe(400);
    expect(json.errors.map(({ path }: { path: string }) => path).sort()).toEqual(
      [
        'rules',
        'locations.0.parent',
        'locations.1.parent',
        'locations.2.latitude',
        'sensors.1.id',
        'sensors.2.location',
        'sensors.3',
      ].sort(),
    );
    expect((await ask('GET', '/sensors/y1')).status).toBe(404);
  });
});
