import { readingToPoint } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { pointAt, readingAt, type Subject, shown } from './subject.ts';

/** The type of a field of a measurement is pinned by its first value; a point that breaks it is refused alone. */
export function conflictContract(subject: Subject): void {
  describe('type conflicts', () => {
    test('are refused by their position, and the rest is stored', async () => {
      await subject.engine.write([pointAt(0, 'm', [['v', 1]])]);
      const rejected = await subject.engine.write([
        readingToPoint(readingAt(0, 'a', { x: 1 })),
        pointAt(1, 'm', [['v', 'text']]),
        readingToPoint(readingAt(1, 'a', { x: 2 })),
        pointAt(2, 'm', [['v', 2n]]),
        pointAt(3, 'm', [['v', 2]]),
        readingToPoint(readingAt(2, 'a', { x: 3 })),
      ]);
      expect(positions(rejected)).toEqual([
        [1, 'type_conflict'],
        [3, 'type_conflict'],
      ]);
      expect(shown(await subject.readings())).toEqual(
        shown([readingAt(0, 'a', { x: 1 }), readingAt(1, 'a', { x: 2 }), readingAt(2, 'a', { x: 3 })]),
      );
    });

    test('say which field and types', async () => {
      await subject.engine.write([pointAt(0, 'm', [['speed', 1]])]);
      const [rejected] = await subject.engine.write([pointAt(1, 'm', [['speed', true]])]);
      expect(rejected?.detail).toMatch(/speed/);
      expect(rejected?.detail).toMatch(/boolean/);
      expect(rejected?.detail).toMatch(/float/);
    });

    test('occur within one batch', async () => {
      const rejected = await subject.engine.write([
        pointAt(0, 'm', [['v', true]]),
        pointAt(1, 'm', [['v', 1]]),
        pointAt(2, 'm', [['v', false]]),
      ]);
      expect(positions(rejected)).toEqual([[1, 'type_conflict']]);
    });

    test('occur at another time, even years away', async () => {
      await subject.engine.write([pointAt(0, 'm', [['v', 1]])]);
      const rejected = await subject.engine.write([pointAt(-300_000_000, 'm', [['v', 'text']])]);
      expect(positions(rejected)).toEqual([[0, 'type_conflict']]);
    });

    test('refuse the whole point, whose other fields pin nothing', async () => {
      await subject.engine.write([pointAt(0, 'm', [['v', 1]])]);
      const rejected = await subject.engine.write([
        pointAt(1, 'm', [
          ['other', 'text'],
          ['v', 'text'],
        ]),
        pointAt(2, 'm', [['other', 1]]),
      ]);
      expect(positions(rejected)).toEqual([[0, 'type_conflict']]);
      expect((await subject.engine.fields()).map(({ field, type }) => [field, type]).sort()).toEqual([
        ['other', 'float'],
        ['v', 'float'],
      ]);
    });

    test('do not reach another measurement', async () => {
      const rejected = await subject.engine.write([
        pointAt(0, 'a', [['v', 1]]),
        pointAt(0, 'b', [['v', 'text']]),
        pointAt(0, 'c', [['v', 1n]]),
      ]);
      expect(rejected).toEqual([]);
    });

    test('arise when a number is named as a text is stored', async () => {
      await subject.write(readingAt(0, 's', { note: 'text' }));
      const rejected = await subject.engine.write([
        readingToPoint(readingAt(1, 's', { note_text: 1 })),
        readingToPoint(readingAt(1, 's', { note: 1 })),
      ]);
      expect(positions(rejected)).toEqual([[0, 'type_conflict']]);
    });

    test('are still known after a restart', async () => {
      await subject.engine.write([pointAt(0, 'm', [['v', 1]])]);
      await subject.reopen();
      const rejected = await subject.engine.write([pointAt(1, 'm', [['v', 'text']])]);
      expect(positions(rejected)).toEqual([[0, 'type_conflict']]);
    });
  });
}

function positions(rejected: readonly { index: number; reason: string }[]): [number, string][] {
  return rejected.map(({ index, reason }) => [index, reason]);
}
