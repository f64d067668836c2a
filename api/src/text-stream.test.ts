import { expect, it, vi } from 'vitest';
import { textBody } from './text-stream.ts';

function* lines(count: number): Generator<string> {
  for (let line = 0; line < count; line++) yield `${line}: ${'x'.repeat(90)}\n`;
}

it('gives a short text whole', () => {
  const onEnd = vi.fn();
  expect(textBody(lines(3), onEnd)).toBe([...lines(3)].join(''));
  expect(onEnd).toHaveBeenCalledOnce();
});

it('gives a long text in pieces, each made when it is asked for', async () => {
  const onEnd = vi.fn();
  let made = 0;
  const counted = lines(2000).map((line) => {
    made += 1;
    return line;
  });
  const body = textBody(counted, onEnd) as ReadableStream<Uint8Array>;
  const beforeReading = made;
  let text = '';
  for await (const piece of body) text += Buffer.from(piece).toString();
  expect(text).toBe([...lines(2000)].join(''));
  expect(beforeReading).toBeLessThan(500);
  expect(onEnd).toHaveBeenCalledOnce();
});

it('makes no more when nobody reads on', async () => {
  const onEnd = vi.fn();
  const parts = lines(2000);
  const reader = (textBody(parts, onEnd) as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  await reader.cancel();
  expect(parts.next().done).toBe(true);
  expect(onEnd).toHaveBeenCalledOnce();
});
