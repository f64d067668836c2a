import { expect, it } from 'vitest';
import { explain } from './explain.ts';

const refused = (text: string) => new Error('Connection failed.', { cause: new Error(text) });

it.each([
  [
    'what is at the bottom',
    new AggregateError([refused('wrong password')], 'Cannot connect.'),
    'wrong password',
  ],
  [
    'each reason once, and three at most',
    new AggregateError(['a', 'b', 'a', 'c', 'd'].map(refused), 'Cannot connect.'),
    'a; b; c',
  ],
  ['its own message when nothing is beneath', new AggregateError([], 'Cannot connect.'), 'Cannot connect.'],
])('tells %s', (_name, error, message) => {
  expect(explain(error)).toMatchObject({ message, cause: error });
});

it('leaves what is no error as it is', () => {
  expect(explain('over')).toBe('over');
});
