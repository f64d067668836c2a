import { expect, it } from 'vitest';
import { OneToken } from './one-token.ts';

it('lets in who shows the token, and without one nobody', () => {
  const access = new OneToken({ token: 'tm_a', isRequired: true });
  expect(access.checkToken('tm_a')).toBe(true);
  for (const token of ['', 'tm_b', 'tm_aa']) expect(access.checkToken(token)).toBe(false);
  const closed = new OneToken({ token: '', isRequired: true });
  expect(closed.checkToken('')).toBe(false);
});
