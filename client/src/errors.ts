/** What the platform refused, or that it was not reached. */
export class TidemarkClientError extends Error {
  /** HTTP's status; 0 when no answer came. */
  readonly status: number;
  /** The platform's error code, such as `bad_request`; `unreachable` when no answer came. */
  readonly code: string;
  /** What is wrong with which field. */
  readonly errors: readonly { path: string; message: string }[];
  /** True when the same call may succeed later. */
  readonly retryable: boolean;
  /** How long the platform asks to wait before that. */
  readonly retryAfterMs: number | undefined;
  /** The whole answer, where it was JSON. */
  readonly body: unknown;

  constructor(message: string, given: ErrorMembers) {
    super(message, { cause: given.cause });
    this.name = 'TidemarkClientError';
    this.status = given.status;
    this.code = given.code;
    this.errors = given.errors ?? [];
    this.retryable = given.retryable;
    this.retryAfterMs = given.retryAfterMs;
    this.body = given.body;
  }
}

interface ErrorMembers {
  status: number;
  code: string;
  errors?: readonly { path: string; message: string }[];
  retryable: boolean;
  retryAfterMs?: number | undefined;
  body?: unknown;
  cause?: unknown;
}

/** The error that an answer tells of (RFC 9457). */
export function errorOf(response: Response, text: string): TidemarkClientError {
  const { status } = response;
  const body = parse(text);
  const { detail, title, code, errors } = body as Record<string, unknown>;
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return new TidemarkClientError(`${status}: ${detail ?? title ?? text.slice(0, 200)}`, {
    status,
    code: typeof code === 'string' ? code : 'unknown',
    errors: Array.isArray(errors) ? errors : [],
    retryable: status === 503 || status === 429 || status === 502 || status === 504,
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
    body,
  });
}

function parse(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
