import { type ErrorCode, messageOf, TidemarkError } from '@tidemark/core';

/** What a person can do about it, where the message alone does not say. */
const hints: Partial<Record<ErrorCode, string>> = {
  address_in_use:
    'stop what uses it, or choose another with TIDEMARK_MQTT_PORT, TIDEMARK_HTTP_PORT or TIDEMARK_GRPC_PORT',
  data_dir_unusable: 'choose another folder with TIDEMARK_DATA_DIR',
};

const systemHints: Record<string, string> = {
  EADDRINUSE: hints.address_in_use!,
  EACCES: 'the permissions do not allow it',
  EPERM: 'the permissions do not allow it',
  ENOENT: 'there is no such file or folder',
  EISDIR: 'it is a folder',
  ENOSPC: 'the disk is full',
  EROFS: 'the disk is read-only',
};

/** One sentence for what went wrong and what to do; a bug, which is any other error, keeps its stack. */
export function describeFailure(error: unknown): string {
  if (error instanceof TidemarkError) return withHint(error.message, hints[error.code]);
  if (isSystemError(error)) return withHint(oneLine(error.message), systemHints[error.code]);
  if (isDatabaseError(error)) return `meta.db: ${error.message}`;
  return `unexpected error: ${error instanceof Error ? error.stack : messageOf(error)}`;
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string';
}

/** Where a disk was full, the error that says what for, which the system's own does not; others as they are. */
export function namingFullDisk(error: unknown, what: string): unknown {
  if (!isSystemError(error) || error.code !== 'ENOSPC') return error;
  const message = `the disk is full: there is no room for ${what}; free some, or choose another place, and run it again`;
  return new TidemarkError('unavailable', message, { cause: error });
}

/** SQLite's own refusals (unreadable, locked, disk full); see node:sqlite. */
function isDatabaseError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR';
}

function withHint(message: string, hint: string | undefined): string {
  return hint === undefined || message.includes(hint) || message.includes('TIDEMARK_')
    ? message
    : `${message}: ${hint}`;
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ');
}
