import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonFaultAt, placeOf } from './json-fault.ts';

const cases: [text: string, position: number][] = [
  ['', 0],
  ['abc', 0],
  ['{"a":1,}', 7],
  ['{"a" 1}', 5],
  ['{"a":NaN}', 5],
  ['{"sensor": t, "x": 1}', 11],
  ['[1,2', 4],
  ['[1,]', 3],
  ['[1 2]', 3],
  ['[1}', 2],
  ['{"a":1]', 6],
  ['{,}', 1],
  ['{1:2}', 1],
  [']', 0],
  ['1,2', 1],
  ['[1] x', 4],
  ['{"a":"b\u0001"}', 5],
  ['{"a":"\\x"}', 5],
  ['{"a":01}', 6],
  ['{"a":1}}', 7],
];

describe('jsonFaultAt', () => {
  it.each(cases)('%j is at fault at %i', (text, position) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(jsonFaultAt(text)).toBe(position);
  });

  it('passes over all of any valid JSON', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(jsonFaultAt(text)).toBe(text.length);
      }),
    );
  });

  it('points at the end of what was cut off, where no shorter text is whole', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1 }), (values) => {
        const text = JSON.stringify(values).slice(0, -1);
        expect(jsonFaultAt(text)).toBe(text.length);
      }),
    );
  });

  it('reads a string of megabytes', () => {
    const text = `{"a": "${'x'.repeat(8_000_000)}" oops`;
    expect(jsonFaultAt(text)).toBe(text.length - 4);
  });
});

describe('placeOf', () => {
  it('counts lines and columns from 1', () => {
    expect(placeOf('{\n  "a": x\n}', 9)).toBe('line 2, column 8');
    expect(placeOf('x', 0)).toBe('line 1, column 1');
  });
});
