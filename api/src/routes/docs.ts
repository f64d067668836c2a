import { readFile } from 'node:fs/promises';
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { ApiEnv, ApiParts } from '../parts.ts';

const bundleUrl = new URL('./browser/standalone.js', import.meta.resolve('@scalar/api-reference'));

// The bundle adds its styles inline; scripts come from here alone, and nothing else from anywhere.
const docsPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const configuration = {
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  showDeveloperTools: 'never',
  agent: { disabled: true },
  mcp: { disabled: true },
};

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tidemark API</title>
<link rel="icon" href="data:,">
</head>
<body>
<noscript>This reference needs JavaScript; its source is <a href="/openapi.json">/openapi.json</a>.</noscript>
<script id="api-reference" data-url="/openapi.json" data-configuration='${JSON.stringify(configuration)}'></script>
<script src="/docs/reference.js"></script>
</body>
</html>
`;

const docsRoute = createRoute({
  method: 'get',
  path: '/docs',
  tags: ['Operation'],
  summary: 'This reference, to read and try in a browser',
  responses: { 200: { description: 'A page', content: { 'text/html': { schema: z.string() } } } },
});

const documentRoute = createRoute({
  method: 'get',
  path: '/openapi.json',
  tags: ['Operation'],
  summary: 'This API as an OpenAPI 3.1 document',
  responses: {
    200: { description: 'The document', content: { 'application/json': { schema: z.looseObject({}) } } },
  },
});

/** `GET /docs`, `/openapi.json`. */
export function docs(app: OpenAPIHono<ApiEnv>, { build, access }: ApiParts): void {
  app.openapi(docsRoute, (c) => c.html(page, 200, { 'content-security-policy': docsPolicy }));

  app.openAPIRegistry.registerPath(documentRoute);
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  app.get(documentRoute.path, (c) => c.json(describe(app, build.version, access.isRequired)));

  app.get('/docs/reference.js', async (c) =>
    c.body(await readFile(bundleUrl, 'utf8'), 200, {
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'max-age=3600',
    }),
  );
}

function describe(app: OpenAPIHono<ApiEnv>, version: string, isTokenRequired: boolean) {
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Tidemark',
      version,
      license: { name: 'MIT' },
      description:
        'Time series of sensors: record readings, query them and their windows, follow them live.\n\n' +
        'Times are RFC 3339 in UTC, to the nanosecond. Values have the unit their sensor reports them in. ' +
        'Errors are RFC 9457 problems with a stable `code`.',
    },
    servers: [{ url: '/' }],
    security: isTokenRequired ? [{ token: [] }] : [],
  });
}
