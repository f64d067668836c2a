import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { LineBudget } from './line-budget.ts';

it('passes on what the log takes, and counts the rest', () => {
  const lines: string[] = [];
  const budget = new LineBudget((level, text) => lines.push(`${level} ${text}`));
  for (let n = 0; n < 1000; n++) budget.tell('warn', `line ${n}\n`);
  expect([lines.length, lines[0], lines.at(-1)]).toEqual([200, 'warn line 0', 'warn line 199']);
  expect([budget.takeDropped(), budget.takeDropped()]).toEqual([800, 0]);
});

it('takes what is written to a stream, and cuts what is too long', () => {
  const lines: string[] = [];
  const budget = new LineBudget((level, text) => lines.push(`${level} ${text}`));
  const stream = new PassThrough() as unknown as NodeJS.WriteStream;
  budget.takeOver(stream, 'info');
  stream.write('hello\n');
  stream.write(Buffer.from('y'.repeat(10_000)));
  stream.write('\n');
  expect(lines.map((line) => line.slice(0, 12))).toEqual(['info hello', 'info yyyyyyy']);
  expect(lines[1]).toHaveLength('info '.length + 4000);
});
