import { NS_PER_DAY, NS_PER_MS, NS_PER_SECOND, parseTime } from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { offsetSegments, windowSpans, windowStarts } from './zone.ts';

const hourNs = 3600n * NS_PER_SECOND;
const time = (text: string) => parseTime(text)!;

const zones = [
  'Europe/Berlin',
  'America/New_York',
  'America/Havana', // goes back from 1:00 to midnight
  'Asia/Beirut', // goes back from midnight
  'Australia/Lord_Howe', // by half an hour
  'Asia/Kathmandu', // 5:45, since 1986
  'Africa/Casablanca', // during Ramadan
  'Pacific/Apia', // left out 30 December 2011
  'Africa/Monrovia', // seconds, until 1972
  'America/Sao_Paulo', // forward from midnight
];

describe('offsetSegments', () => {
  test('of UTC are one', () => {
    const range = { fromNs: 5n, toNs: 2n ** 62n };
    for (const timeZone of [undefined, 'UTC']) {
      expect(offsetSegments({ ...range, timeZone })).toEqual([{ ...range, offsetNs: 0n }]);
    }
  });

  test('change to the second where the clocks do', () => {
    const range = { fromNs: time('2024-01-01T00:00:00Z'), toNs: time('2025-01-01T00:00:00Z') };
    const changes = [time('2024-03-31T01:00:00Z'), time('2024-10-27T01:00:00Z')] as const;
    expect(offsetSegments({ ...range, timeZone: 'Europe/Berlin' })).toEqual([
      { fromNs: range.fromNs, toNs: changes[0], offsetNs: hourNs },
      { fromNs: changes[0], toNs: changes[1], offsetNs: 2n * hourNs },
      { fromNs: changes[1], toNs: range.toNs, offsetNs: hourNs },
    ]);
  });

  test('know offsets of seconds, and west of Greenwich', () => {
    const [first, second] = offsetSegments({
      fromNs: 0n,
      toNs: time('1973-01-01T00:00:00Z'),
      timeZone: 'Africa/Monrovia',
    });
    expect(first?.offsetNs).toBe(-2670n * NS_PER_SECOND);
    expect(second).toMatchObject({ fromNs: time('1972-01-07T00:44:30Z'), offsetNs: 0n });
  });
});

describe('windowSpans', { timeout: 60_000 }, () => {
  test('without a zone are one run, aligned to 1970', () => {
    const spans = windowSpans({ fromNs: 25n, toNs: 41n, everyNs: 10n, timeZone: undefined });
    expect(spans).toEqual([{ startNs: 20n, endNs: 50n, everyNs: 10n }]);
    expect(windowStarts(spans)).toEqual([20n, 30n, 40n]);
    expect(windowSpans({ fromNs: -5n, toNs: 10n, everyNs: 10n, timeZone: undefined })).toEqual([
      { startNs: -10n, endNs: 10n, everyNs: 10n },
    ]);
  });

  test('of nothing are none', () => {
    for (const toNs of [9n, 10n]) {
      expect(windowSpans({ fromNs: 10n, toNs, everyNs: 5n, timeZone: 'Europe/Berlin' })).toEqual([]);
    }
  });

  test.each([0n, -1n, 2n ** 62n])('refuse windows of %i ns', (everyNs) => {
    const range = { fromNs: 0n, toNs: 10n, everyNs, timeZone: undefined };
    expect(() => windowSpans(range)).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });

  test('days begin at local midnight, or when the day does', () => {
    const cases: [string, string, string[]][] = [
      ['Europe/Berlin', '2024-10-26T22:00:00Z', ['2024-10-26T22:00:00Z', '2024-10-27T23:00:00Z']],
      [
        'Asia/Beirut',
        '2024-10-26T00:00:00Z',
        ['2024-10-25T21:00:00Z', '2024-10-26T22:00:00Z', '2024-10-27T22:00:00Z'],
      ],
      [
        'America/Sao_Paulo',
        '2018-11-03T12:00:00Z',
        ['2018-11-03T03:00:00Z', '2018-11-04T03:00:00Z', '2018-11-05T02:00:00Z'],
      ],
      [
        'Pacific/Apia',
        '2011-12-29T12:00:00Z',
        ['2011-12-29T10:00:00Z', '2011-12-30T10:00:00Z', '2011-12-31T10:00:00Z'],
      ],
    ];
    for (const [timeZone, from, starts] of cases) {
      const fromNs = time(from);
      const toNs = time(starts.at(-1)!) + 1n;
      const spans = windowSpans({ fromNs, toNs, everyNs: NS_PER_DAY, timeZone });
      expect(windowStarts(spans), timeZone).toEqual(starts.map(time));
    }
  });

  const ranges = fc.record({
    timeZone: fc.constantFrom(...zones),
    // 1970 to 2040, by the second.
    fromNs: fc.integer({ min: 0, max: 2_208_988_800 }).map((seconds) => BigInt(seconds) * NS_PER_SECOND),
    windows: fc.integer({ min: 1, max: 150 }),
    everyNs: fc
      .constantFrom(5n, 15n, 20n, 60n, 90n, 120n, 180n, 300n, 360n, 720n, 1440n, 2880n, 10_080n, 525_600n)
      .map((m) => m * 60n * NS_PER_SECOND),
  });

  test('cover the range without gap or overlap, whatever the clocks do', () => {
    fc.assert(
      fc.property(ranges, ({ timeZone, fromNs, windows, everyNs }) => {
        const toNs = fromNs + BigInt(windows) * everyNs;
        const spans = windowSpans({ fromNs, toNs, everyNs, timeZone });
        expect(spans[0]!.startNs).toBeLessThanOrEqual(fromNs);
        expect(spans[0]!.startNs + spans[0]!.everyNs).toBeGreaterThan(fromNs);
        expect(spans.at(-1)!.endNs).toBeGreaterThanOrEqual(toNs);
        spans.forEach((span, index) => {
          if (index > 0) expect(span.startNs).toBe(spans[index - 1]!.endNs);
          expect((span.endNs - span.startNs) % span.everyNs).toBe(0n);
          expect(span.endNs).toBeGreaterThan(span.startNs);
        });
      }),
    );
  });

  test('do not depend on where the range begins and ends', () => {
    fc.assert(
      fc.property(ranges, fc.nat(200), ({ timeZone, fromNs, windows, everyNs }, skip) => {
        const toNs = fromNs + BigInt(windows) * everyNs;
        const all = windowStarts(windowSpans({ fromNs, toNs, everyNs, timeZone }));
        const start = all[Math.min(skip, all.length - 1)]!;
        const part = windowStarts(windowSpans({ fromNs: start, toNs, everyNs, timeZone }));
        expect(part).toEqual(all.slice(all.indexOf(start)));
      }),
    );
  });

  test('begin at a multiple of their length in local time, or where the clocks change', () => {
    fc.assert(
      fc.property(ranges, ({ timeZone, fromNs, windows, everyNs }) => {
        const toNs = fromNs + BigInt(windows) * everyNs;
        for (const startNs of windowStarts(windowSpans({ fromNs, toNs, everyNs, timeZone }))) {
          const isAligned = localNs(startNs, timeZone) % everyNs === 0n;
          const isChange =
            localNs(startNs, timeZone) - localNs(startNs - NS_PER_SECOND, timeZone) !== NS_PER_SECOND;
          expect(isAligned || isChange, `${startNs}`).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });
});

/** Wall-clock time, read from the parts that Intl shows; not by way of an offset. */
function localNs(timeNs: bigint, timeZone: string): bigint {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'medium',
  });
  return BigInt(Date.parse(`${format.format(Number(timeNs / NS_PER_MS)).replace(' ', 'T')}Z`)) * NS_PER_MS;
}
