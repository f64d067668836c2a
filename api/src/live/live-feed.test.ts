import { type Journal, type JournalEntry, readingToPoint } from '@tidemark/core';
import { describe, expect, it } from 'vitest';
import { MemoryJournal } from '../testing/memory-journal.ts';
import { LiveFeed, type LiveListener } from './live-feed.ts';

const { signal } = new AbortController();

function append(journal: MemoryJournal, sensor: string, value: number): void {
  journal.append([
    readingToPoint({ sensor, location: undefined, timeNs: BigInt(value), values: [['v', value]] }),
  ]);
}

/** The entries whose points somebody asked for, and how many read at a time. */
function counted(journal: MemoryJournal) {
  const seen = { decoded: 0, readers: 0 };
  const wrapped: Journal = {
    get firstOffset() {
      return journal.firstOffset;
    },
    get endOffset() {
      return journal.endOffset;
    },
    async *read(offset, stopping) {
      seen.readers += 1;
      try {
        for await (const entries of journal.read(offset, stopping)) yield entries.map(watched);
      } finally {
        seen.readers -= 1;
      }
    },
  };
  const watched = (entry: JournalEntry): JournalEntry => ({
    ...entry,
    get points() {
      seen.decoded += 1;
      return entry.points;
    },
  });
  return { journal: wrapped, seen };
}

async function valuesOf(listener: LiveListener): Promise<unknown[]> {
  await listener.wait(1000, signal);
  return listener.take().readings.map(({ live }) => JSON.parse(live.text).v);
}

describe('LiveFeed', () => {
  it('decodes a message once, however many listen, and tells it to those whose sensor it is', async () => {
    const memory = new MemoryJournal({ batchEntries: 200 });
    const { journal, seen } = counted(memory);
    const feed = new LiveFeed({ journal });
    const listeners = Array.from({ length: 100 }, (_, n) => feed.join({ sensors: [`s${n}`] }, 0)!);
    const all = feed.join({}, 0)!;
    const some = feed.join({ sensors: ['s1*', 's2'] }, 0)!;
    for (let n = 0; n < 200; n++) append(memory, `s${n % 100}`, n);
    for (const [n, listener] of listeners.entries()) expect(await valuesOf(listener)).toEqual([n, n + 100]);
    expect(await valuesOf(all)).toHaveLength(200);
    expect((await valuesOf(some)).slice(0, 4)).toEqual([1, 2, 10, 11]);
    expect(seen).toEqual({ decoded: 200, readers: 1 });
    for (const listener of [...listeners, all, some]) listener.close();
  });

  it('drops off a client that takes nothing, at its bound, and goes on for the others', async () => {
    const journal = new MemoryJournal({ batchEntries: 10 });
    const feed = new LiveFeed({ journal, maxWaiting: 20 });
    const [frozen, other] = [feed.join({}, 0)!, feed.join({}, 0)!];
    const taken: unknown[] = [];
    for (let n = 0; n < 100; n += 10) {
      for (let value = n; value < n + 10; value++) append(journal, 'a', value);
      while (taken.length < n + 10) taken.push(...(await valuesOf(other)));
    }
    expect(taken).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(frozen.isOver).toBe(true);
    expect(frozen.take().readings).toEqual([]);
    expect(other.isOver).toBe(false);
    other.close();
  });

  it('takes in only who has seen what the others have', async () => {
    const journal = new MemoryJournal();
    const feed = new LiveFeed({ journal });
    append(journal, 'a', 0);
    const first = feed.join({}, 0)!;
    expect(await valuesOf(first)).toEqual([0]);
    expect(feed.join({}, 0)).toBeUndefined();
    append(journal, 'a', 1);
    // It has read further by itself than the shared reading has come.
    const ahead = feed.join({}, 200)!;
    append(journal, 'a', 2);
    const heard: unknown[] = [];
    while (!heard.includes(2)) heard.push(...(await valuesOf(first)));
    expect(heard).toEqual([1, 2]);
    expect(await valuesOf(ahead)).toEqual([2]);
    first.close();
    ahead.close();
  });

  it('stops to read when nobody listens, and begins anew with the next one', async () => {
    const memory = new MemoryJournal();
    const { journal, seen } = counted(memory);
    const feed = new LiveFeed({ journal });
    const first = feed.join({ sensors: ['a'] }, 0)!;
    first.close();
    for (let n = 0; n < 50; n++) append(memory, 'a', n);
    await new Promise(setImmediate);
    const second = feed.join({ sensors: ['a'] }, memory.endOffset)!;
    append(memory, 'a', 50);
    expect(await valuesOf(second)).toEqual([50]);
    expect(seen).toEqual({ decoded: 1, readers: 1 });
    second.close();
  });

  it('lets go of everybody when the log cannot be read, who then meet the fault by themselves', async () => {
    const broken: Journal = {
      firstOffset: 0,
      endOffset: 0,
      read: () => {
        throw new Error('EIO');
      },
    };
    const feed = new LiveFeed({ journal: broken });
    const listener = feed.join({}, 0)!;
    await listener.wait(1000, signal);
    expect(listener.isOver).toBe(true);
  });
});
