import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { type ImportAnswer, readImportAnswer } from './import-answer.ts';

const counts = { accepted: 3, refused: 1, rows: 4, rejected: [] };
const progress = { event: 'progress', accepted: 1, refused: 0, rows: 1, total: 4 };
let server: Server;

afterEach(() => void server.close());

it.each([
  ['one object', [JSON.stringify(counts)], []],
  ['lines', lines(progress, { event: 'done', ...counts }), [progress]],
  ['lines in pieces', [...lines(progress, { event: 'done', ...counts }).join('')], [progress]],
  ['nothing accepted', lines({ event: 'failed', status: 422, ...counts }), []],
])('reads %s', async (_what, pieces, told) => {
  const heard: Partial<ImportAnswer>[] = [];
  const answer = await readImportAnswer(await answerOf(pieces), (one) => heard.push(one));
  expect(answer).toEqual(counts);
  expect(heard).toEqual(told);
});

it.each([
  ['a refusal on the way', { event: 'failed', status: 400, detail: 'no Parquet' }, false],
  ['a fault that may heal', { event: 'failed', status: 503, detail: 'no room' }, true],
])('throws %s', async (_what, failed, retryable) => {
  const response = await answerOf(lines(progress, failed));
  await expect(readImportAnswer(response, () => {})).rejects.toMatchObject({
    message: expect.stringContaining(failed.detail),
    retryable,
  });
});

it.each([[true], [false]])(
  'an answer that is cut off is asked for again (destroyed: %s)',
  async (destroyed) => {
    const response = await answerOf(lines(progress), destroyed);
    const read = readImportAnswer(response, () => server.closeAllConnections());
    await expect(read).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  },
);

function lines(...all: object[]): string[] {
  return all.map((one) => `${JSON.stringify(one)}\n`);
}

/** Answers with these pieces, and then, unless `isLeftOpen`, ends. */
async function answerOf(pieces: readonly string[], isLeftOpen = false): Promise<IncomingMessage> {
  server = createServer((_request, response) => {
    for (const piece of pieces) response.write(piece);
    if (!isLeftOpen) response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const [response] = await once(get({ port, host: '127.0.0.1' }), 'response');
  return response as IncomingMessage;
}
