const INTERVAL_MS = 1000;
const contentType = 'application/x-ndjson';

/** True when who asks reads JSON lines, by its header `Accept`. */
export function wantsProgress(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes(contentType) ?? false;
}

/**
 * The answer to long work as JSON lines: what `told` says each second under `event: progress`, and at last the outcome's
 * body, under `done` or, with the status of a problem in it, `failed`. A bug ends the connection before its last line.
 */
export function answerWithProgress(
  outcome: Promise<Response>,
  told: () => Record<string, unknown>,
): Response {
  let timer: NodeJS.Timeout;
  const body = new ReadableStream<Uint8Array>({
    start: (stream) => {
      const tell = (event: string, data: Record<string, unknown>) =>
        stream.enqueue(Buffer.from(`${JSON.stringify({ event, ...data })}\n`));
      timer = setInterval(() => tell('progress', told()), INTERVAL_MS);
      outcome
        .then(async (response) => {
          clearInterval(timer);
          tell(response.ok ? 'done' : 'failed', (await response.json()) as Record<string, unknown>);
          stream.close();
        })
        .catch((error: unknown) => {
          clearInterval(timer);
          stream.error(error);
        });
    },
    cancel: () => clearInterval(timer),
  });
  return new Response(body, { headers: { 'content-type': contentType } });
}
