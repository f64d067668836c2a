import { describe, expect, test } from 'vitest';
import type { LatestValue } from '../../src/engine.ts';
import { baseNs, readingAt, type Subject } from './subject.ts';

/** The newest value of each sensor and metric. */
export function latestContract(subject: Subject): void {
  describe('latest', () => {
    test('is the newest value of each metric, whatever came last', async () => {
      await subject.write(
        readingAt(5, 'b', { x: 50, y: 51, state: 'new' }, 'north'),
        readingAt(1, 'b', { x: 10, z: 12, state: 'old' }, 'north'),
        readingAt(2, 'a', { x: -0 }),
      );
      await subject.write(readingAt(3, 'b', { x: 30, y: 31 }, 'north'));
      expect(shownLatest(await subject.engine.latest({}))).toEqual([
        ['a', undefined, 'x', -0, 2],
        ['b', 'north', 'state', 'new', 5],
        ['b', 'north', 'x', 50, 5],
        ['b', 'north', 'y', 51, 5],
        ['b', 'north', 'z', 12, 1],
      ]);
    });

    test('follows an overwrite', async () => {
      await subject.write(readingAt(5, 'a', { x: 1 }));
      await subject.write(readingAt(5, 'a', { x: 2 }));
      expect(shownLatest(await subject.engine.latest({}))).toEqual([['a', undefined, 'x', 2, 5]]);
    });

    test('follows a sensor to its location', async () => {
      await subject.write(readingAt(0, 'a', { x: 1, y: 1 }, 'north'));
      await subject.write(readingAt(1, 'a', { x: 2 }, 'south'));
      await subject.write(readingAt(2, 'a', { x: 3 }));
      expect(shownLatest(await subject.engine.latest({}))).toEqual([
        ['a', undefined, 'x', 3, 2],
        ['a', 'north', 'y', 1, 0],
      ]);
      expect(shownLatest(await subject.engine.latest({ locations: ['south', 'north'] }))).toEqual([
        ['a', 'south', 'x', 2, 1],
        ['a', 'north', 'y', 1, 0],
      ]);
    });

    test('is filtered, and ordered by code point', async () => {
      await subject.write(
        readingAt(0, '🚲', { x: 1, text: 't' }, 'north'),
        readingAt(0, '\uff21', { x: 2, y: 3 }, 'south'),
      );
      const sensors = async (filter: object) =>
        shownLatest(await subject.engine.latest(filter)).map(([sensor, , metric]) => `${sensor} ${metric}`);
      expect(await sensors({})).toEqual(['\uff21 x', '\uff21 y', '🚲 text', '🚲 x']);
      expect(await sensors({ metrics: ['x'] })).toEqual(['\uff21 x', '🚲 x']);
      expect(await sensors({ metrics: ['text', 'y'] })).toEqual(['\uff21 y', '🚲 text']);
      expect(await sensors({ sensors: ['🚲'] })).toEqual(['🚲 text', '🚲 x']);
      expect(await sensors({ locations: ['south'], metrics: ['x'] })).toEqual(['\uff21 x']);
      expect(await sensors({ sensors: ['nobody'] })).toEqual([]);
      expect(await sensors({ metrics: ['nothing'] })).toEqual([]);
    });

    test('of a number and a text of one metric are two, the number first', async () => {
      await subject.write(readingAt(0, 'a', { x: 'text' }), readingAt(1, 'a', { x: 1 }));
      expect(shownLatest(await subject.engine.latest({}))).toEqual([
        ['a', undefined, 'x', 1, 1],
        ['a', undefined, 'x', 'text', 0],
      ]);
    });
  });
}

/** Sensor, location, metric, value, seconds after `baseNs`. */
function shownLatest(values: readonly LatestValue[]): unknown[][] {
  return values.map(({ sensor, location, metric, value, timeNs }) => [
    sensor,
    location,
    metric,
    value,
    Number(timeNs - baseNs) / 1e9,
  ]);
}
