import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createPattern } from './name-matcher.ts';

it('matches as a regular expression would', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 8 });
  fc.assert(
    fc.property(pattern, text, (wanted, id) => {
      const expression = new RegExp(`^${wanted.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
      expect(createPattern(wanted)(id)).toBe(expression.test(id));
    }),
    { numRuns: 2000 },
  );
});
