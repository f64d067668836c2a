import { invalidFields } from './problem.ts';

/** An opaque cursor over the parts that order a list. */
export function encodeCursor(...parts: readonly (string | bigint)[]): string {
  return Buffer.from(JSON.stringify(parts.map(String))).toString('base64url');
}

/** The `count` parts of a cursor; throws `bad_request` when it is not one of ours. */
export function decodeCursor(cursor: string, count: number): string[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(parts) && parts.length === count && parts.every((part) => typeof part === 'string')) {
      return parts;
    }
  } catch {
    // Told below, as every other cursor that is not ours.
  }
  throw invalidFields([{ path: 'cursor', message: 'is not a cursor that a list answered with as next' }]);
}
