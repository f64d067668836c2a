import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

interface Operation {
  summary?: string;
  tags?: string[];
  parameters?: { name: string; description?: string; in: string }[];
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
}
interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}

let platform: Awaited<ReturnType<typeof startTestPlatform>>;
let document: OpenApi;

beforeAll(async () => {
  platform = await startTestPlatform();
  document = await (await platform.app.request('/openapi.json')).json();
});
afterAll(() => platform.stop());

function operations() {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );
}

describe('GET /openapi.json', () => {
  it('lists every route that the app has, and no other', () => {
    const files = ['GET /docs/reference.js', 'GET /assets/{file}'];
    const routes = platform.app.routes
      .filter(({ method, path }) => method !== 'ALL' && !path.includes('*'))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
      .filter((name) => !files.includes(name));
    // The freshness middleware stands on paths of routes that are there anyway.
    expect(routes.length).toBeGreaterThan(10);
    expect(new Set(operations().map(({ name }) => name))).toEqual(new Set(routes));
  });

  it('describes every route, parameter and answer', () => {
    for (const { name, operation } of operations()) {
      expect(operation.summary, name).toBeTruthy();
      expect(operation.tags, name).toHaveLength(1);
      for (const parameter of operation.parameters ?? []) {
        if (parameter.in === 'query') expect(parameter.description, `${name} ${parameter.name}`).toBeTruthy();
      }
      for (const [status, { description }] of Object.entries(operation.responses)) {
        expect(description, `${name} ${status}`).toBeTruthy();
      }
    }
  });

  it('documents the problems of everything under /api', () => {
    for (const { name, operation } of operations()) {
      if (!name.includes('/api/') || name.includes('/api/v2/')) continue;
      for (const status of ['400', '401', '403']) {
        expect(operation.responses[status]?.content, `${name} ${status}`).toHaveProperty([
          'application/problem+json',
        ]);
      }
    }
  });
});

describe('GET /docs', () => {
  it('is served from here alone', async () => {
    const response = await platform.app.request('/docs');
    const html = await response.text();
    expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    expect(response.headers.get('content-security-policy')).toContain("connect-src 'self'");
    const bundle = await platform.app.request('/docs/reference.js');
    expect(bundle.status).toBe(200);
    expect(bundle.headers.get('content-type')).toContain('javascript');
  });
});
