import type { createApp } from '../app.ts';

/** Asks the API under `/api/v1`; a body that is no text is sent as JSON, and an answer is read as JSON. */
export function askerOf(app: ReturnType<typeof createApp>) {
  return async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await app.request(`/api/v1${path}`, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = text === '' ? undefined : JSON.parse(text);
    return {
      status: response.status,
      json,
      etag: response.headers.get('etag') ?? '',
      headers: response.headers,
    };
  };
}
