import { describe, expect, test } from 'vitest';
import { readingAt, type Subject, shown } from './subject.ts';

/** What was written stays written, and the engine says how it is. */
export function lifecycleContract(subject: Subject): void {
  describe('lifecycle', () => {
    test('a restart keeps everything, and writes go on', async () => {
      const before = [readingAt(0, 'a', { x: 1, state: 'on' }, 'north'), readingAt(1, 'b', { x: 2 })];
      await subject.write(...before);
      await subject.engine.sync(1);
      await subject.reopen();
      expect(shown(await subject.readings())).toEqual(shown(before));
      await subject.write(readingAt(1, 'b', { x: 3 }), readingAt(2, 'b', { x: 4 }));
      await subject.reopen();
      expect(shown(await subject.readings())).toEqual(
        shown([before[0]!, readingAt(1, 'b', { x: 3 }), readingAt(2, 'b', { x: 4 })]),
      );
      expect((await subject.engine.latest({ sensors: ['b'] })).map(({ value }) => value)).toEqual([4]);
      expect((await subject.windows({ functions: ['sum'] }))[0]?.values.get('sum')).toBe(8);
    });

    test('sync resolves, with and without anything written', async () => {
      await subject.engine.sync(1);
      await subject.write(readingAt(0, 'a', { x: 1 }));
      await subject.engine.sync(1);
    });

    test('reads run beside a write', async () => {
      await subject.write(readingAt(0, 'a', { x: 1 }));
      const batch = Array.from({ length: 2000 }, (_, index) => readingAt(index + 1, 'a', { x: index }));
      const [, ...counts] = await Promise.all([
        subject.write(...batch),
        ...Array.from({ length: 8 }, async () => (await subject.readings()).length),
      ]);
      for (const count of counts) expect(count).toBeGreaterThanOrEqual(1);
      expect(await subject.readings()).toHaveLength(2001);
    });

    test('a running engine is healthy', async () => {
      await subject.write(readingAt(0, 'a', { x: 1 }));
      expect(await subject.engine.status()).toMatchObject({ isHealthy: true });
    });
  });
}
