import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memberNames } from './json-members.ts';

describe('memberNames', () => {
  it.each([
    ['{}', []],
    [' { "b" : 1 , "7" : "a" , "a" : [ "x", {"y": "z"} ], "2": {"3": ","} } ', ['b', '7', 'a', '2']],
    ['{"a":1,"\\u0061":2,"__proto__":3}', ['a', '__proto__']],
    ['{"":"","\\"":"\\""}', ['', '"']],
  ])('of %s', (text, names) => {
    expect(memberNames(text)).toEqual(names);
  });

  it('are those that JSON.parse finds', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.boolean(), (value, isSpaced) => {
        const text = JSON.stringify(value, null, isSpaced ? 2 : 0);
        expect(memberNames(text)).toEqual(Object.keys(JSON.parse(text)));
      }),
    );
  });
});
