/** Every error the platform raises on purpose carries one of these; users may match on them. */
export const errorCodes = [
  'config_invalid',
  'bad_request',
  'not_found',
  'conflict',
  'precondition_failed',
  'precondition_required',
  'forbidden',
  'unauthorized',
  'payload_too_large',
  'method_not_allowed',
  'unsupported_media_type',
  'nothing_accepted',
  'unavailable',
  'spool_full',
  'spool_failed',
  'store_unavailable',
  'store_rejected',
  'store_newer',
  'store_damaged',
  'address_in_use',
  'data_dir_unusable',
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** Why a store cannot be used now. A closed list: alerts may match on it. */
export const outageReasons = [
  /** No connection, or one that broke. */
  'unreachable',
  /** Connected, and no answer in time. */
  'timeout',
  /** The credentials are refused. */
  'unauthorized',
  /** Asked to send less. */
  'throttled',
  /** It answers that it has failed: its disk, or an error of its own. */
  'failed',
  'other',
] as const;

export type OutageReason = (typeof outageReasons)[number];

/** One fault in an input, with the place it was found at. */
export interface Issue {
  /** Dotted path of the field, empty for the whole input. */
  path: string;
  message: string;
}

interface TidemarkErrorOptions {
  cause?: unknown;
  /** True when the same call may succeed later without any change by the caller. */
  retryable?: boolean;
  issues?: Issue[];
  /** How long the other side asked us to wait before the next try. */
  retryAfterMs?: number;
  /** Of `store_unavailable`: what kind of outage it is. */
  outage?: OutageReason;
}

/** The platform's one error class. A bug is any other error, and may crash the process. */
export class TidemarkError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly issues: Issue[];
  readonly retryAfterMs: number | undefined;
  readonly outage: OutageReason | undefined;

  constructor(code: ErrorCode, message: string, options: TidemarkErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'TidemarkError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.issues = options.issues ?? [];
    this.retryAfterMs = options.retryAfterMs;
    this.outage = options.outage;
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
