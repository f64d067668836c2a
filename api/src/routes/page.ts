import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { TidemarkError } from '@tidemark/core';
import type { ApiEnv, ApiParts } from '../parts.ts';

const types: Record<string, string> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const route = createRoute({
  method: 'get',
  path: '/',
  tags: ['Operation'],
  summary: 'The built-in page',
  responses: { 200: { description: 'A page', content: { 'text/html': { schema: z.string() } } } },
});

/** `GET /` and what the page loads. */
export function page(app: OpenAPIHono<ApiEnv>, { pageDir, mqttPort, access }: ApiParts): void {
  const fillIn = (html: string) =>
    html
      .replace('%MQTT_PORT%', String(mqttPort() ?? ''))
      .replace('%ACCESS%', access.isRequired ? 'token' : '');

  app.openapi(route, async (c) => {
    const html = await readPageFile(pageDir, 'index.html');
    if (html === undefined)
      throw new TidemarkError('not_found', 'the page is not built; the API is at /docs');
    return c.html(fillIn(html.toString()), 200, {
      'content-security-policy': pagePolicy,
      'cache-control': 'no-cache',
    });
  });

  app.get('/assets/:file', async (c) => {
    const name = c.req.param('file');
    const type = types[extname(name)];
    const isPlain = /^[\w-][\w.-]*$/.test(name);
    const content = type && isPlain ? await readPageFile(pageDir, join('assets', name)) : undefined;
    if (content === undefined || type === undefined)
      throw new TidemarkError('not_found', 'there is no such file');
    // Names hold a hash of the content, so a name never changes what it stands for.
    return c.body(content, 200, { 'content-type': type, 'cache-control': 'max-age=31536000, immutable' });
  });
}

async function readPageFile(
  dir: string | undefined,
  name: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (dir === undefined) return undefined;
  try {
    return await readFile(join(dir, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
