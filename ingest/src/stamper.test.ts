import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Stamper } from './stamper.ts';

const hourNs = 3_600_000_000_000n;
const yearNs = 365n * 24n * hourNs;
const startNs = 1_800_000_000_000_000_000n;

it('stamps grow strictly and follow the clock, a microsecond apart when it stands or goes back a little', () => {
  const stamper = new Stamper(1000n);
  const stamps = [500n, 500n, 7000n, 7000n, 5500n, 9700n].map((nowNs) => stamper.next(nowNs));
  expect(stamps).toEqual([2000n, 3000n, 7000n, 8000n, 9000n, 10_000n]);
});

it('a clock set back by an hour is followed at once; no stamp is given twice', () => {
  const setBack: bigint[] = [];
  const stamper = new Stamper(0n, (byNs) => setBack.push(byNs));
  const before = [0n, 0n, 1_000_000n].map((ns) => stamper.next(startNs + ns));
  const after = [0n, 0n, 1_000_000n].map((ns) => stamper.next(startNs - hourNs + ns));
  expect(after.map((ns) => ns + hourNs)).toEqual([startNs + 1n, startNs + 1001n, startNs + 1_000_001n]);
  const again = [0n, 0n, 1_000_000n].map((ns) => stamper.next(startNs + ns));
  expect(new Set([...before, ...after, ...again]).size).toBe(9);
  expect(setBack).toEqual([hourNs + 1_000_000n]);
});

it('the last stamp of a clock that ran a year ahead holds nothing up after a restart', () => {
  const before = new Stamper(0n);
  const last = before.next(startNs + yearNs);
  const stamp = new Stamper(last).next(startNs);
  expect(stamp).toBe(startNs + 1n);
});

it('however the clock is set and the process restarted, no stamp is given twice', () => {
  const moves = fc.oneof(
    fc.constant({ kind: 'stay' as const }),
    fc.constant({ kind: 'restart' as const }),
    fc.integer({ min: 0, max: 5_000_000 }).map((byNs) => ({ kind: 'run' as const, byNs })),
    fc.integer({ min: -5000, max: 5000 }).map((byMs) => ({ kind: 'set' as const, byMs })),
  );
  fc.assert(
    fc.property(fc.array(moves, { maxLength: 900 }), (script) => {
      const given = new Set<bigint>();
      let nowNs = startNs;
      let last = 0n;
      let stamper = new Stamper(last);
      for (const move of script) {
        if (move.kind === 'restart') stamper = new Stamper(last);
        if (move.kind === 'run') nowNs += BigInt(move.byNs);
        if (move.kind === 'set') nowNs += BigInt(move.byMs) * 1_000_000n;
        last = stamper.next(nowNs);
        expect(given.has(last)).toBe(false);
        // Never further from the clock than a second, and the stamps that were given meanwhile.
        expect(last - nowNs).toBeLessThanOrEqual(1_000_000_000n + BigInt(script.length) * 1000n);
        expect(nowNs - last).toBeLessThan(1000n);
        given.add(last);
      }
    }),
  );
});
