import type { SensorDirectory } from '@tidemark/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RuleIndex } from './rule-index.ts';
import { activate } from './series.ts';
import { standInRule } from './stand-in-rule.ts';

const directory = {} as SensorDirectory;
const parts = { severity: 'warning', message: '', notify: [] } as const;

function activeRule(sensors: string[] | undefined, number: number) {
  return activate({ ...standInRule(`rule-${number}`, parts), sensors }, directory);
}

it('finds every rule that is about a sensor, each once', () => {
  const text = (letters: string) =>
    fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 6 });
  const patterns = fc.option(fc.array(text('ab*'), { minLength: 1, maxLength: 3 }), { nil: undefined });
  fc.assert(
    fc.property(fc.array(patterns, { maxLength: 8 }), fc.array(text('ab')), (scopes, ids) => {
      const rules = scopes.map(activeRule);
      const index = new RuleIndex(rules);
      for (const id of ids) {
        const found = [...index.candidates(id)];
        expect(new Set(found).size).toBe(found.length);
        for (const rule of rules)
          if (rule.scope.holds(id, undefined, undefined)) expect(found).toContain(rule);
      }
    }),
  );
});

it('compares a sensor with few of a thousand rules', () => {
  const index = new RuleIndex(
    Array.from({ length: 1000 }, (_, number) =>
      activeRule([`load-*${String(number % 100).padStart(2, '0')}`], number),
    ),
  );
  expect([...index.candidates('load-3-4207')]).toHaveLength(10);
  expect([...index.candidates('hall-3-4207')]).toHaveLength(0);
});
