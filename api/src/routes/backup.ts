import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { BackupRun } from '@tidemark/core';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { problems } from '../schemas.ts';

/** A client that takes nothing for so long has gone: the store's file is held for it meanwhile. */
const stallMs = 60_000;
const mediaType = 'application/vnd.tidemark.backup';

const route = createRoute({
  method: 'get',
  path: '/api/v1/backup',
  tags: ['Operation'],
  summary: 'A copy of all that the platform holds, while it runs',
  description: `What \`tidemark backup\` asks for and \`tidemark restore\` reads: the store, the log and \`meta.db\`,
hashes of tokens and passwords with it. What was acknowledged before is in it. One at a time: 409 for a second, and
where the store is InfluxDB. An answer that ends too early is no backup; the last line says whether it is whole.`,
  request: { query: z.strictObject({}) },
  responses: {
    200: {
      description: 'The backup',
      content: { [mediaType]: { schema: z.string().openapi({ format: 'binary' }) } },
    },
    ...problems(400, 409, 503),
  },
});

/** `GET /api/v1/backup`. */
export function backup(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  app.openapi(route, async (c) => {
    const headers = { 'content-type': mediaType, 'cache-control': 'no-store' };
    // Nobody would read the body of an answer to HEAD.
    if (c.req.method === 'HEAD') return c.body(null, 200, headers);
    const run = await parts.backup.begin();
    return c.body(toStream(run, c.env?.stopping), 200, headers);
  });
}

function toStream(run: BackupRun, stopping: AbortSignal | undefined): ReadableStream<Uint8Array> {
  const chunks = run.chunks()[Symbol.asyncIterator]();
  let timer: NodeJS.Timeout | undefined;
  let giveUp = (_reason: string): void => {};
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => giveUp('nothing was taken for a minute'), stallMs);
    timer.unref();
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        giveUp = (reason) => {
          clearTimeout(timer);
          controller.error(new Error(`the backup was given up: ${reason}`));
          void run.close();
        };
        stopping?.addEventListener('abort', () => giveUp('the platform stops'), { once: true });
        watch();
      },
      async pull(controller) {
        watch();
        const { done, value } = await chunks.next().catch(async (error: unknown) => {
          clearTimeout(timer);
          await run.close();
          throw error;
        });
        if (!done) return controller.enqueue(value);
        clearTimeout(timer);
        controller.close();
      },
      async cancel() {
        clearTimeout(timer);
        await run.close();
      },
    },
    { highWaterMark: 1 },
  );
}
