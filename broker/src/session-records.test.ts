import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { expect, it, onTestFinished } from 'vitest';
import { GroupWriter } from './group-writer.ts';
import { SessionRecords } from './session-records.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A session of a day whose client has just left, with a clock of its own; `restart` opens it again. */
async function absentFor() {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-records-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const db = new ClassicLevel<string, unknown>(directory, { valueEncoding: 'json' });
  await db.open();
  onTestFinished(() => db.close());
  const time = { wallMs: 1_800_000_000_000, monotonicMs: 5000 };
  const clock = {
    nowNs: () => BigInt(time.wallMs) * 1_000_000n,
    monotonicMs: () => time.monotonicMs,
  };
  let writer = new GroupWriter(db, () => {});
  let records = new SessionRecords(writer, clock);
  records.arrived('device', DAY_MS / 1000);
  records.left('device');
  return {
    time,
    pass: (ms: number): void => {
      time.wallMs += ms;
      time.monotonicMs += ms;
      records.followClock();
    },
    restart: async (): Promise<void> => {
      await writer.flush();
      time.monotonicMs = 100;
      writer = new GroupWriter(db, () => {});
      records = new SessionRecords(writer, clock);
      await records.load(db);
    },
    isExpired: (): boolean => {
      expect(records.expired()).toEqual(records.isExpired('device') ? ['device'] : []);
      return records.isExpired('device');
    },
  };
}

it.each([365 * DAY_MS, -365 * DAY_MS])(
  'a wall clock that is set by %i ms neither ends a session early nor keeps it longer',
  async (stepMs) => {
    const { time, pass, isExpired } = await absentFor();
    time.wallMs += stepMs;
    pass(DAY_MS - 1);
    expect(isExpired()).toBe(false);
    pass(1);
    expect(isExpired()).toBe(true);
  },
);

it.each([365 * DAY_MS, -365 * DAY_MS])(
  'nor when the process starts again after it was set by %i ms',
  async (stepMs) => {
    const { time, pass, restart, isExpired } = await absentFor();
    pass(HOUR_MS);
    time.wallMs += stepMs;
    pass(HOUR_MS);
    // The process is not there for an hour.
    time.wallMs += HOUR_MS;
    await restart();
    pass(21 * HOUR_MS - 1);
    expect(isExpired()).toBe(false);
    pass(1);
    expect(isExpired()).toBe(true);
  },
);

it('a clock that went back while the process was not there gives no session more than its own time', async () => {
  const { time, pass, restart, isExpired } = await absentFor();
  time.wallMs -= 365 * DAY_MS;
  await restart();
  pass(DAY_MS - 1);
  expect(isExpired()).toBe(false);
  pass(1);
  expect(isExpired()).toBe(true);
});
