import { expect, it } from 'vitest';
import { z } from 'zod';
import './zod-messages.ts';

const state = z.enum(['firing', 'resolved']);

it.each([
  [z.object({ until: z.string() }), {}, ['until: is missing']],
  [z.string(), 5, [': must be a string']],
  [z.int(), 1.5, [': must be a whole number']],
  [z.record(z.string(), z.string()), [], [': must be an object']],
  [state, 'odd', [': must be one of firing, resolved']],
  [z.union([state, z.array(state)]), 'odd', [': must be one of firing, resolved, or must be an array']],
  [
    z.union([z.number(), z.object({ within: z.string() })]),
    {},
    [': must be a number, or within: is missing'],
  ],
  [z.string({ error: 'own words' }), 5, [': own words']],
])('case %# is refused in words that say what is taken', (schema, input, expected) => {
  const { error } = schema.safeParse(input);
  expect(error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)).toEqual(expected);
});
