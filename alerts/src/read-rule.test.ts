import { describe, expect, it } from 'vitest';
import { readRule } from './read-rule.ts';

/** Every fault as `path: message`; none for a good rule. */
function faults(document: unknown): string[] {
  const read = readRule(document);
  return Array.isArray(read) ? read.map(({ path, message }) => `${path}: ${message}`) : [];
}

const good = { id: 'too-hot', metric: 'temperature', above: 30 };

describe('readRule', () => {
  it('reads the rule of the docs', () => {
    const document = {
      ...good,
      sensors: 'greenhouse-*',
      clear: 28,
      for: '2m',
      message: '{sensor} is at {value} °C',
      notify: ['ops'],
    };
    expect(readRule(document)).toEqual({
      id: 'too-hot',
      metric: 'temperature',
      sensors: ['greenhouse-*'],
      location: undefined,
      labels: undefined,
      condition: { kind: 'above', threshold: 30, clear: 28 },
      forMs: 120_000,
      severity: 'warning',
      message: '{sensor} is at {value} °C',
      notify: ['ops'],
      notifyWithinMs: 600_000,
      isEnabled: true,
    });
  });

  it.each([
    [{ below: 5 }, { kind: 'below', threshold: 5, clear: 5 }],
    [
      { inside: [1, 2], clear: [0, 3] },
      { kind: 'inside', range: [1, 2], clear: [0, 3] },
    ],
    [
      { outside: [1, 9], clear: [2, 8] },
      { kind: 'outside', range: [1, 9], clear: [2, 8] },
    ],
    [{ rate: { above: 2, per: '1m' } }, { kind: 'rate', above: 2, below: -Infinity, perMs: 60_000 }],
    [{ absent: '10m' }, { kind: 'absent', afterMs: 600_000 }],
    [{ stuck: '1h' }, { kind: 'stuck', afterMs: 3_600_000 }],
    [
      { quality: 'range', metric: undefined },
      { kind: 'quality', checks: ['range'], withinMs: 600_000 },
    ],
    [
      { quality: { checks: ['jump'], within: '1m' }, metric: undefined },
      { kind: 'quality', checks: ['jump'], withinMs: 60_000 },
    ],
  ])('reads %j', (part, condition) => {
    expect(readRule({ ...good, above: undefined, ...part })).toMatchObject({ condition });
  });

  it.each([
    [{ ...good, clear: 31 }, ['clear: must not be above 30, where the alert begins']],
    [
      { ...good, above: undefined, below: 5, clear: 4 },
      ['clear: must not be below 5, where the alert begins'],
    ],
    [{ ...good, above: undefined, inside: [1, 5], clear: [2, 5] }, ['clear: must hold the range of inside']],
    [
      { ...good, above: undefined, outside: [1, 5], clear: [0, 5] },
      ['clear: must lie within the range of outside'],
    ],
    [{ ...good, above: undefined, inside: [5, 1] }, ['inside: must have the lower number first']],
    [{ ...good, id: undefined }, ['id: is missing']],
    [[], [': must be an object']],
    [
      { id: 'q', quality: 'ranges' },
      [
        'quality: must be any, or a list of latitude, longitude, range, jump, stuck, clock, late, duplicate, silence, or must be an object',
      ],
    ],
    [{ ...good, for: '-2m' }, ['for: must not be negative: -2m']],
    [{ ...good, for: '2 minutes' }, ['for: is no duration: "2 minutes"; write 90s, 10m or 1h30m']],
    [{ ...good, above: 'hot' }, ['above: must be a number']],
    [{ ...good, above: NaN }, ['above: must be a number']],
    [{ ...good, metric: 'a/b' }, ['metric: holds a control character or one of / + #']],
    [{ ...good, metric: undefined }, ['metric: is missing: say which metric the rule is about']],
    [{ ...good, below: 3 }, [expect.stringMatching(/^: needs one of .*; it has above and below$/)]],
    [{ ...good, above: undefined }, [expect.stringMatching(/^: needs one of above, below/)]],
    [{ id: 'x', absent: '1m', for: '1m' }, ['for: does not go with absent, which has its own duration']],
    [{ ...good, above: undefined, rate: { per: '1m' } }, ['rate: needs above, below or both']],
    [{ ...good, abvoe: 3 }, ['abvoe: no such member']],
    [{ ...good, id: 'a b' }, [expect.stringMatching(/^id: must be 1 to 64 letters/)]],
    [undefined, [expect.stringMatching(/^: /)]],
    ['rule', [expect.stringMatching(/^: /)]],
  ])('refuses %j', (document, expected) => {
    expect(faults(document)).toEqual(expected);
  });

  it('tells all that is wrong at once', () => {
    expect(
      faults({ ...good, id: '', clear: 40, for: '-1s', severity: 'bad' }).map((fault) => fault.split(':')[0]),
    ).toEqual(['id', 'for', 'severity', 'clear']);
  });
});
