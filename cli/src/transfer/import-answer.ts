import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { TidemarkError } from '@tidemark/core';
import { refusal } from '../ask.ts';

/** What became of the rows of a request. */
export interface ImportAnswer {
  accepted: number;
  refused: number;
  rows: number;
  rejected: { row: number; code: string; detail: string }[];
  /** Rows of the file, where that is known before its end. */
  total?: number;
}

type Line = Partial<ImportAnswer> & { event?: string; status?: number };

const NOTHING_ACCEPTED = 422;

/**
 * Reads an answer to its end, which may be lines of JSON that say how far it has come: `onProgress` is told of those.
 * Throws what the platform refused after it had begun to answer, and a retryable `unavailable` when the answer is cut off.
 */
export async function readImportAnswer(
  response: IncomingMessage,
  onProgress: (answer: Partial<ImportAnswer>) => void,
): Promise<ImportAnswer> {
  for await (const text of linesOf(response)) {
    const line = JSON.parse(text) as Line;
    if (line.event === 'progress') onProgress(line);
    else return outcomeOf(line, text);
  }
  throw cutOff();
}

function outcomeOf(
  { event, status = 0, accepted = 0, refused = 0, rows = 0, rejected = [] }: Line,
  text: string,
) {
  if (event === 'failed' && status !== NOTHING_ACCEPTED) throw refusal(status, text);
  return { accepted, refused, rows, rejected };
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  try {
    yield* createInterface({ input: response });
  } catch (error) {
    throw cutOff(error);
  }
}

function cutOff(cause?: unknown): TidemarkError {
  const message = 'the connection was cut off before the answer';
  return new TidemarkError('unavailable', message, { cause, retryable: true });
}
