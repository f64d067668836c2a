import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlatform } from './testing/test-platform.ts';

const access = {
  isRequired: true,
  checkUser: async () => true,
  knowsUser: () => true,
  checkToken: (token: string) => token === 'sesame',
  tokenName: (token: string) => (token === 'sesame' ? 'ann' : undefined),
};
let open: Awaited<ReturnType<typeof startTestPlatform>>;
let locked: Awaited<ReturnType<typeof startTestPlatform>>;

beforeAll(async () => {
  open = await startTestPlatform();
  locked = await startTestPlatform({ access });
});
afterAll(async () => {
  await open.stop();
  await locked.stop();
});

describe('every request', () => {
  it.each(['/nope', '/api/v1/nope', '/api/v2/readings', '/assets/nope.js', '/assets/..%2fpackage.json'])(
    'to %s is answered 404 as a problem',
    async (path) => {
      const response = await open.app.request(path);
      expect(response.status).toBe(404);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
      expect(await response.json()).toMatchObject({ code: 'not_found', status: 404, title: 'Not Found' });
    },
  );

  it.each([
    ['DELETE', '/api/v1/readings', 'GET, HEAD, POST'],
    ['OPTIONS', '/api/v1/readings', 'GET, HEAD, POST'],
    ['PUT', '/api/v1/readings/a@1', 'GET, HEAD'],
    ['POST', '/api/v1/live', 'GET, HEAD'],
    ['POST', '/health', 'GET, HEAD'],
  ])('by %s to %s is answered 405 with what is allowed', async (method, path, allow) => {
    const response = await open.app.request(path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe(allow);
    expect(await response.json()).toMatchObject({ code: 'method_not_allowed' });
  });

  it.each(['/write', '/api/v2/write'])('by GET to %s is answered 405 as InfluxDB does', async (path) => {
    const response = await open.app.request(`${path}?db=tidemark&bucket=tidemark`);
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
    const message = `GET is not for ${path}; use POST`;
    expect(await response.json()).toEqual({ code: 'method not allowed', message, error: message });
  });

  it.each([
    [{ host: 'attacker.example' }, '/api/v1/latest'],
    [{ host: 'attacker.example' }, '/health'],
    [{ host: 'attacker.example' }, '/'],
    [{ host: 'localhost', origin: 'http://attacker.example' }, '/api/v1/readings'],
  ])('with %j to %s is refused', async (headers, path) => {
    const response = await open.app.request(path, { headers });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: 'forbidden' });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('is answered with headers that hold browsers back', async () => {
    const { headers } = await open.app.request('/api/v1/latest');
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  it('is counted by the pattern of its route, never by its path', async () => {
    for (const id of ['a@1', 'b@2', 'c@3']) await open.app.request(`/api/v1/readings/${id}`);
    await open.app.request('/wp-admin/setup.php');
    const text = await (await open.app.request('/metrics')).text();
    expect(text).toContain(
      'tidemark_http_requests_total{route="/api/v1/readings/:id",method="GET",status="404"} 3',
    );
    expect(text).toMatch(/tidemark_http_requests_total\{route="none",method="GET",status="404"\} \d/);
    expect(text).toContain(
      'tidemark_http_request_duration_seconds_count{route="/api/v1/readings/:id",method="GET"} 3',
    );
    expect(text).not.toContain('wp-admin');
  });

  it('that breaks a part is answered 500 without its words', async () => {
    const engine = Object.assign(Object.create(open.engine), {
      latest: async () => Promise.reject(new Error('secret path /var/x')),
    });
    const broken = await startTestPlatform({ engine });
    try {
      const response = await broken.app.request('/api/v1/latest');
      expect(response.status).toBe(500);
      const text = await response.text();
      expect(JSON.parse(text)).toMatchObject({ code: 'internal' });
      expect(text).not.toContain('secret');
    } finally {
      await broken.stop();
    }
  });
});

describe('where credentials are needed', () => {
  it.each(['/api/v1/readings', '/api/v1/latest', '/api/v1/live', '/api/v1/quarantine', '/metrics', '/nope'])(
    '%s wants a token',
    async (path) => {
      const response = await locked.app.request(path);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="tidemark"');
      expect(await response.json()).toMatchObject({ code: 'unauthorized' });
    },
  );

  it.each(['Bearer sesame', 'Token sesame', 'bearer sesame'])('"%s" is let in', async (authorization) => {
    const response = await locked.app.request('/api/v1/latest', { headers: { authorization } });
    expect(response.status).toBe(200);
  });

  it.each(['Bearer wrong', 'sesame', 'Basic c2VzYW1l', 'Bearer ', ''])(
    '"%s" is not',
    async (authorization) => {
      const response = await locked.app.request('/api/v1/latest', { headers: { authorization } });
      expect(response.status).toBe(401);
    },
  );

  it.each(['/ping', '/ready', '/health', '/docs', '/openapi.json'])('%s is open', async (path) => {
    expect((await locked.app.request(path)).status).toBeLessThan(300);
  });

  it('the parts of its health are for those who may read data', async () => {
    const stranger = await (await locked.app.request('/health')).json();
    expect(stranger).toMatchObject({ status: 'pass', checks: [] });
    const headers = { authorization: 'Bearer sesame' };
    const friend = await (await locked.app.request('/health', { headers })).json();
    expect(friend.checks).toHaveLength(1);
  });
});
