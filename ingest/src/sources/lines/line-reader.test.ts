import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LineReader } from './line-reader.ts';

function readAll(chunks: readonly string[], maxLineBytes: number) {
  const reader = new LineReader(maxLineBytes);
  const lines: string[] = [];
  let cut = 0;
  for (const chunk of chunks) {
    reader.push(Buffer.from(chunk, 'latin1'));
    for (let line = reader.next(); line; line = reader.next()) {
      lines.push(line.bytes.toString('latin1'));
      if (line.isCut) cut++;
    }
    expect(reader.heldBytes).toBeLessThanOrEqual(maxLineBytes + 1);
  }
  return { lines, cut, rest: reader.rest().toString('latin1') };
}

it('finds lines by LF and CRLF, and says what had no end', () => {
  expect(readAll(['a\r', '\nb\n\n', 'c\rd\nre', 'st'], 100)).toEqual({
    lines: ['a', 'b', '', 'c\rd'],
    cut: 0,
    rest: 'rest',
  });
});

it('cuts a line that is too long and goes on behind its end', () => {
  const { lines, cut, rest } = readAll(['12345678', '9012', '34\nok\n123456\n'], 4);
  expect(lines).toEqual(['1234', 'ok', '1234']);
  expect([cut, rest]).toEqual([2, '']);
});

it('a line of just the longest length is whole, with CRLF too', () => {
  expect(readAll(['1234\r', '\n1234\n'], 4)).toEqual({ lines: ['1234', '1234'], cut: 0, rest: '' });
});

it('finds the same lines however they are cut into chunks', () => {
  const line = fc.string({ unit: fc.constantFrom('a', '\r', 'é'), maxLength: 9 });
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(20)), (given, cuts) => {
      const text = given.map((one) => `${one}\n`).join('');
      const chunks: string[] = [];
      let at = 0;
      for (const size of [...cuts, text.length]) {
        chunks.push(text.slice(at, at + size));
        at += size;
      }
      const expected = given.map((one) => one.replace(/\r$/, '').slice(0, 5));
      expect(readAll(chunks, 5).lines).toEqual(expected);
    }),
  );
});
