import { describe, expect, it } from 'vitest';
import { formAddress, isOffered, readForm, windowLengths, windowOf } from './travellers-form.ts';

const form = readForm('');

describe('the form of travellers in the address', () => {
  it('comes back as it was, and leaves out what is as usual', () => {
    expect(formAddress(form)).toBe('#/travellers');
    const chosen = {
      sensor: 'Ünter & über,?#',
      type: 'car',
      from: '2026-05-01T12:00:00.000Z',
      to: 'now',
      window: '5m',
    };
    expect(readForm(formAddress(chosen).slice('#/travellers'.length))).toEqual(chosen);
  });

  it('knows nothing of words that are none of its own', () => {
    expect(readForm('?type=car&constructor=1')).toEqual({ ...form, type: 'car' });
  });
});

describe('windowOf', () => {
  it.each([
    [{}, '1m'],
    [{ from: 'now-15m' }, '1m'],
    [{ from: 'now-6h' }, '5m'],
    [{ from: 'now-30d' }, '6h'],
    [{ from: '1970-01-01T00:00:00Z' }, '7d'],
    [{ from: 'yesterday' }, '1m'],
    [{ from: '2026-05-01T12:00:00Z', to: '2026-05-01T14:00:00Z', window: '1h' }, '1h'],
    // 10 s are too short for a week, and what is no length is none.
    [{ from: 'now-7d', window: '10s' }, '1h'],
    [{ window: '7 apples' }, '1m'],
  ])('of %j is %s', (changes, length) => {
    expect(windowOf({ ...form, ...changes }).length).toBe(length);
  });

  it('is always one of those offered', () => {
    for (const from of ['now-1s', 'now-30d', '1970-01-01T00:00:00Z', 'x']) {
      expect(isOffered({ ...form, from }, windowOf({ ...form, from }))).toBe(true);
    }
    expect(windowLengths.filter((window) => isOffered(form, window))[0]!.length).toBe('10s');
  });
});
