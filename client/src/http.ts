import { errorOf, TidemarkClientError } from './errors.ts';

export interface ConnectionOptions {
  /** Of the platform's HTTP port, such as `http://127.0.0.1:8080`. */
  url: string;
  /** An API token, where credentials are configured. */
  token?: string | undefined;
  /** Longest that a call may take, in ms; 60 s unless set. */
  timeoutMs?: number;
}

type Parameters = Readonly<Record<string, string | number | readonly string[] | undefined>>;

interface Question {
  method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  parameters?: object;
  /** Sent as JSON. */
  body?: unknown;
}

/** Asks the platform over HTTP. */
export class Http {
  readonly #options: ConnectionOptions;

  constructor(options: ConnectionOptions) {
    this.#options = { ...options, url: options.url.replace(/\/+$/, '') };
  }

  /** Headers that every request shows. */
  get headers(): Record<string, string> {
    const { token } = this.#options;
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** An address below `/api/v1`. */
  urlOf(path: string, parameters: object = {}): string {
    const url = new URL(`${this.#options.url}/api/v1/${path}`);
    for (const [name, value] of Object.entries(parameters as Parameters)) {
      for (const item of [value ?? []].flat()) {
        // A comma separates names there.
        url.searchParams.append(name, String(item).replaceAll(',', '\\,'));
      }
    }
    return url.href;
  }

  /** The answer's JSON, undefined where there is none. Throws TidemarkClientError. */
  async ask<Answer>(path: string, { method = 'GET', parameters, body }: Question = {}): Promise<Answer> {
    const response = await this.#fetch(this.urlOf(path, parameters), {
      method,
      headers: { ...this.headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(this.#options.timeoutMs ?? 60_000),
    });
    const text = await response.text().catch((error: unknown) => {
      throw this.#unreachable(error);
    });
    if (!response.ok) throw errorOf(response, text);
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  }

  /** All items of a list, page by page, `limit` at most. */
  async *pages<Item>(
    path: string,
    { limit = Number.POSITIVE_INFINITY, ...parameters }: { limit?: number | undefined },
    pageSize: number,
  ): AsyncGenerator<Item> {
    let left = limit;
    let cursor: string | undefined;
    while (left > 0) {
      const page = { ...parameters, limit: Math.min(left, pageSize), cursor };
      const { items, next } = await this.ask<{ items: Item[]; next: string | null }>(path, {
        parameters: page,
      });
      yield* items;
      left -= items.length;
      if (next === null) return;
      cursor = next;
    }
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    return fetch(url, init).catch((error: unknown) => {
      throw this.#unreachable(error);
    });
  }

  #unreachable(error: unknown): TidemarkClientError {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const message = `no answer from ${this.#options.url}: ${cause instanceof Error ? cause.message : cause}`;
    return new TidemarkClientError(message, {
      status: 0,
      code: 'unreachable',
      retryable: true,
      cause: error,
    });
  }
}
