import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askerOf } from '../testing/ask.ts';
import { startTestPlatform } from '../testing/test-platform.ts';

let platform: Awaited<ReturnType<typeof startTestPlatform>>;
let ask: ReturnType<typeof askerOf>;

beforeAll(async () => {
  platform = await startTestPlatform();
  ask = askerOf(platform.app);
  for (const id of ['hall', 'yard']) await ask('POST', '/locations', { id });
});
afterAll(() => platform.stop());

describe('a location', () => {
  it('is created, changed by its ETag, and deleted', async () => {
    const created = await ask('POST', '/locations', {
      id: 'site',
      name: 'Site',
      latitude: 52.5,
      longitude: -13.4,
    });
    expect(created).toMatchObject({
      status: 201,
      json: {
        id: 'site',
        name: 'Site',
        latitude: 52.5,
        longitude: -13.4,
        parent: null,
        selfRegistered: false,
      },
    });
    expect(created.headers.get('location')).toBe('/api/v1/locations/site');
    expect((await ask('POST', '/locations', { id: 'site' })).status).toBe(409);
    expect((await ask('PUT', '/locations/site', { name: 'x' })).status).toBe(428);
    const changed = await ask('PATCH', '/locations/site', { name: 'Big site' }, { 'if-match': created.etag });
    expect(changed.json).toMatchObject({ name: 'Big site', latitude: 52.5 });
    expect((await ask('DELETE', '/locations/site', undefined, { 'if-match': created.etag })).status).toBe(
      412,
    );
    expect((await ask('DELETE', '/locations/site', undefined, { 'if-match': changed.etag })).status).toBe(
      204,
    );
    expect((await ask('GET', '/locations/site')).status).toBe(404);
  });

  it('is refused with everything that is wrong', async () => {
    const { json } = await ask('POST', '/locations', {
      id: 'bad',
      name: '',
      latitude: 91,
      longitude: -181,
      parent: 'nowhere',
      x: 1,
    });
    expect(json.errors.map(({ path }: { path: string }) => path).sort()).toEqual([
      'latitude',
      'longitude',
      'name',
      'parent',
      'x',
    ]);
    expect((await ask('POST', '/locations', { id: 'half', latitude: 1 })).json.errors).toMatchObject([
      { path: 'longitude' },
    ]);
  });

  it('lies in no circle', async () => {
    for (const [id, parent] of [
      ['c1', null],
      ['c2', 'c1'],
      ['c3', 'c2'],
    ])
      await ask('POST', '/locations', { id, parent });
    for (const parent of ['c1', 'c2', 'c3'])
      expect((await ask('PATCH', '/locations/c1', { parent })).json.errors).toMatchObject([
        { path: 'parent' },
      ]);
    expect((await ask('GET', '/locations?parent=c1')).json.items).toMatchObject([{ id: 'c2' }]);
  });

  it('in use is not deleted, and the refusal names what uses it', async () => {
    await ask('POST', '/locations', { id: 'used', parent: 'yard' });
    await ask('POST', '/sensors', { id: 'user', location: 'used' });
    await ask('PATCH', '/sensors/user', { location: 'hall' });
    expect((await ask('DELETE', '/locations/used')).json).toMatchObject({
      status: 409,
      detail: expect.stringContaining('user'),
    });
    expect((await ask('DELETE', '/locations/yard')).json.detail).toContain('used');
    // Named by a sensor that registered itself, and was declared to be elsewhere.
    platform.registry.register('wild', 'jungle', ['t']);
    await ask('POST', '/sensors', { id: 'wild', location: 'yard' });
    expect((await ask('DELETE', '/locations/jungle')).status).toBe(204);
  });
});
