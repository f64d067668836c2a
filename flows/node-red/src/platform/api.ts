const timeoutMs = 10_000;
/** Some 100 000 windows; a flow that asks for more wants the export. */
const maxAnswerBytes = 16 * 1024 * 1024;

/** A request that the platform refused (`status`), or that never reached it (status 0). */
export class ApiError extends Error {
  readonly status: number;
  /** The stable code of the problem, such as `not_found`. */
  readonly code: string;

  constructor(message: string, { status, code, cause }: { status: number; code: string; cause?: unknown }) {
    super(message, { cause });
    this.status = status;
    this.code = code;
  }

  /** True when the same request may succeed later. */
  get isRetryable(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

interface Request {
  /** Parameters; those undefined are left out. */
  query?: Readonly<Record<string, string | undefined>>;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
}

export interface Answer {
  headers: Headers;
  json: unknown;
}

/** Tidemark's HTTP API. */
export class Api {
  readonly #url: string;
  readonly #token: string | undefined;

  constructor({ url, token }: { url: string; token: string | undefined }) {
    this.#url = url.replace(/\/+$/, '');
    this.#token = token;
  }

  get headers(): Record<string, string> {
    return this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
  }

  urlOf(path: string, query: Request['query'] = {}): string {
    const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return `${this.#url}${path}${given.length > 0 ? `?${new URLSearchParams(given)}` : ''}`;
  }

  /** The answer as JSON; throws `ApiError`. Takes 10 s at most. */
  async request(
    method: string,
    path: string,
    { query, body, headers, signal }: Request = {},
  ): Promise<Answer> {
    const deadline = AbortSignal.timeout(timeoutMs);
    const url = this.urlOf(path, query);
    try {
      const response = await fetch(url, {
        method,
        headers: {
          accept: 'application/json',
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...this.headers,
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        redirect: 'error',
        signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
      });
      const text = await readText(response);
      if (!response.ok) throw problemIn(text, response.status);
      return { headers: response.headers, json: text === '' ? undefined : JSON.parse(text) };
    } catch (error) {
      if (error instanceof ApiError) throw error;
      const reason = deadline.aborted ? `no answer within ${timeoutMs / 1000} s` : 'no answer';
      const at = new URL(url).origin;
      throw new ApiError(`${reason} from Tidemark at ${at}`, {
        status: 0,
        code: 'unreachable',
        cause: error,
      });
    }
  }
}

async function readText(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > maxAnswerBytes)
      throw new ApiError(
        `the answer is larger than ${maxAnswerBytes / 1024 / 1024} MiB: ask for less at a time`,
        {
          status: 413,
          code: 'answer_too_large',
        },
      );
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function problemIn(text: string, status: number): ApiError {
  try {
    const { detail, code } = JSON.parse(text) as { detail?: unknown; code?: unknown };
    if (typeof detail === 'string') return new ApiError(detail, { status, code: String(code) });
  } catch {
    // Whatever stands between here and the platform may answer anything.
  }
  return new ApiError(`HTTP ${status}: ${text.slice(0, 200)}`, { status, code: 'http' });
}
