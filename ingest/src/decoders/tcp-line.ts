import { asBuffer, type Submission } from '@tidemark/core';
import { type Decoded, type Limits, onlyFault } from './decoded.ts';
import { decodeItemMessage } from './json.ts';
import { decodeLines } from './lines.ts';

/** A line of the TCP gateway: JSON where it begins with a brace or a bracket, else line protocol in nanoseconds. */
export function decodeTcpLine(
  { payload, line, problem }: Submission & { source: 'tcp' },
  limits: Limits,
): Decoded {
  if (problem !== undefined) return onlyFault(problem.reason, problem.detail);
  const bytes = asBuffer(payload);
  const isJson = /^\s*[[{]/.test(bytes.toString('latin1', 0, 256));
  if (isJson) return decodeItemMessage(bytes, limits);
  return decodeLines(bytes, { maxFields: limits.maxFieldsPerReading, firstLine: line });
}
