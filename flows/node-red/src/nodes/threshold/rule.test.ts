import { expect, it } from 'vitest';
import { migrate, readSettings } from '../../fields/spec.ts';
import { ruleOf } from './rule.ts';
import { spec } from './spec.ts';

function rule(settings: Record<string, unknown>, nodeId = 'n1') {
  return ruleOf(nodeId, readSettings(spec, migrate(spec, { server: 's', metric: 'v', ...settings })));
}

it.each([
  [
    { condition: 'above', level: 30, clear: 28, for: '2m', sensors: 'a-*, b', location: 'hall' },
    { metric: 'v', above: 30, clear: 28, for: '2m', sensors: ['a-*', 'b'], location: 'hall' },
  ],
  [
    { condition: 'below', level: '0', clear: '', notify: 'ops,' },
    { metric: 'v', below: 0, notify: ['ops'] },
  ],
  [
    { condition: 'outside', low: 5, high: 30, clearLow: 7 },
    { metric: 'v', outside: [5, 30], clear: [7, 30] },
  ],
  [
    { condition: 'inside', low: 5, high: 30 },
    { metric: 'v', inside: [5, 30] },
  ],
  // What another condition was set to is not said.
  [{ condition: 'absent', metric: '', level: 30, clear: 28, for: '2m' }, { absent: '10m' }],
])('%j', (settings, expected) => {
  expect(rule(settings)).toEqual({ id: 'flow-n1', severity: 'warning', ...expected });
});

it('has an id of its own for each node, however deep in subflows', () => {
  const ids = [
    '1111111111111111',
    'a b',
    `${'2222222222222222-'.repeat(4)}1`,
    `${'2222222222222222-'.repeat(4)}2`,
  ].map((id) => rule({ level: 1 }, id).id);
  expect(ids[0]).toBe('flow-1111111111111111');
  expect(new Set(ids).size).toBe(4);
  for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
});
