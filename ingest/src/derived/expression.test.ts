import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseExpression } from './expression.ts';

function resultOf(text: string, values: Record<string, number> = {}): number {
  const { inputs, compute } = parseExpression(text);
  return compute(inputs.map((name) => values[name] ?? Number.NaN));
}

it.each([
  ['a + 2 * 3', 7],
  ['(a + 2) * 3', 9],
  ['10 - 4 - 3 + 0 * a', 3],
  ['-a ^ 2', -1],
  ['2 ^ 3 ^ 2 * a', 512],
  ['2 ^ -a', 0.5],
  ['7 % 4 * a', 3],
  ['- - a', 1],
  ['min(a, 5, -2)', -2],
  ['max(a, 5)', 5],
  ['round(a * 2.345, 2)', 2.35],
  ['round(2.5 * a)', 3],
  ['ln(exp(a))', 1],
  ['log10(1000 * a)', 3],
  ['sqrt(16) + pow(2, a) + abs(-a)', 7],
  ['"Inputs/A 1" + Inputs.A', 5],
  ['1.5e3 * a', 1500],
  ['température', 4],
])('%s', (text, value) => {
  expect(resultOf(text, { a: 1, 'Inputs/A 1': 2, 'Inputs.A': 3, température: 4 })).toBeCloseTo(value, 12);
});

it.each([
  ['a +', 'it ends too early'],
  ['a b', 'unexpected b at 3'],
  ['(a', 'it ends too early'],
  ['a)', 'unexpected ) at 2'],
  ['2 * 3', 'it names no metric'],
  ['a; b', 'unexpected ; at 2'],
  ['pow(a)', 'pow takes 2 values, not 1'],
  ['min()', 'unexpected ) at 5'],
  ['process(a)', 'no function process; there are'],
  ['constructor(a)', 'no function constructor'],
  [`${'('.repeat(500)}a${')'.repeat(500)}`, 'more than 100 parentheses'],
  [`${'-'.repeat(1900)}a`, 'more than 100 parentheses, signs'],
])('refuses %.20s', (text, message) => {
  expect(() => parseExpression(text)).toThrow(message);
});

it('computes what JavaScript computes, whatever the nesting', () => {
  const leaf = fc.oneof(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 9 }).map(String));
  const { tree } = fc.letrec<{ tree: string }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      fc
        .tuple(tie('tree'), fc.constantFrom('+', '-', '*', '/', '%'), tie('tree'))
        .map(([left, operator, right]) => `${left} ${operator} ${right}`),
      tie('tree').map((inner) => `(${inner})`),
      tie('tree').map((inner) => `(-${inner})`),
    ),
  }));
  fc.assert(
    fc.property(tree, fc.tuple(fc.double(), fc.double(), fc.double()), (text, [a, b, c]) => {
      fc.pre([...text].filter((one) => '(+-^'.includes(one)).length < 100);
      const whole = `(${text}) + 0 * a`;
      const expected: unknown = new Function('a', 'b', 'c', `return ${whole}`)(a, b, c);
      expect(resultOf(whole, { a, b, c })).toBe(expected);
    }),
    { numRuns: 300 },
  );
});

it('reads any text without harm', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ab1.(),+-*/^%" eE'), maxLength: 60 }), (text) => {
      try {
        parseExpression(text);
      } catch (error) {
        expect((error as Error).message).not.toBe('');
      }
    }),
    { numRuns: 2000 },
  );
});
