import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  createLogger,
  createMetrics,
  NS_PER_SECOND,
  type Point,
  readingToPoint,
  systemClock,
} from '@tidemark/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { requireTool } from '../../testing/require-tool.ts';
import { EmbeddedEngine } from './engine.ts';

const run = promisify(execFile);
const batchPoints = 10_000;
const tries = 5;
const limits = { lateRows: 10_000, partitionRows: 4_000_000, rewriteRows: 5e7, runs: 4, rowsPerSum: 1 };

let disk: string;
let openings: number;
let engine: EmbeddedEngine;

const engineAt = (path: string, hotRows: number) =>
  new EmbeddedEngine({
    path,
    memoryBytes: 192 * 2 ** 20,
    clock: systemClock,
    metrics: createMetrics(),
    logger: createLogger('info', {
      write: (line) => {
        if (line.includes('store opened')) openings += 1;
      },
    }),
    limits: { ...limits, hotRows },
  });

describe.skipIf(!requireTool('the right to mount a tmpfs', await mayMount()))(
  'on a full disk',
  { timeout: 180_000 },
  () => {
    beforeEach(() => {
      openings = 0;
      disk = mkdtempSync(join(tmpdir(), 'tidemark-disk-'));
    });
    afterEach(async () => {
      await engine.stop();
      await run('umount', [disk]);
      rmSync(disk, { recursive: true });
    });

    test.each([
      ['while it compacts', 20, 50_000],
      ['when its log would be moved into the file', 40, 1e9],
    ])('%s, writes fail and queries go on; both do when there is room again', async (_when, mb, hotRows) => {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${mb}m`, 'tmpfs', disk]);
      const path = join(disk, 'store');
      engine = engineAt(path, hotRows);
      await engine.start();
      let written = 0;
      let failures = 0;
      while (failures < tries) {
        const failure = await engine.write(batch(written)).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (failure === undefined) written += 1;
        else {
          failures += 1;
          expect(failure).toMatchObject({ code: 'store_unavailable', retryable: true, outage: 'failed' });
          expect(await count(engine)).toBe(written * batchPoints);
          expect(await engine.status()).toMatchObject({ isHealthy: false });
        }
      }
      await expect(engine.compact()).rejects.toThrow();
      expect(await count(engine)).toBe(written * batchPoints);
      await run('mount', ['-o', `remount,size=${mb * 4}m`, disk]);
      for (const until = written + tries; written < until; written++) await engine.write(batch(written));
      expect(await count(engine)).toBe(written * batchPoints);
      expect(await engine.status()).toMatchObject({ isHealthy: true });
      // It never had to be opened anew, for which queries would have waited.
      expect(openings).toBe(1);
      // As it would be found after kill -9.
      const copy = join(disk, 'copy');
      cpSync(path, copy, { recursive: true });
      const other = engineAt(copy, hotRows);
      await other.start();
      expect(await count(other)).toBe(written * batchPoints);
      await other.stop();
    });
  },
);

/** Readings that no other batch has, of sensors that are new every other time. */
function batch(number: number): Point[] {
  return Array.from({ length: batchPoints }, (_, index) =>
    readingToPoint({
      sensor: `s${index % 50}-${number >> 1}`,
      location: undefined,
      timeNs: BigInt(number * batchPoints + index) * NS_PER_SECOND,
      values: [['x', index]],
    }),
  );
}

async function count(of: EmbeddedEngine): Promise<number> {
  const [window] = await of.windows({
    fromNs: 0n,
    toNs: 10n ** 18n,
    everyNs: 10n ** 18n,
    timeZone: undefined,
    functions: ['count'],
    by: [],
    fill: 'none',
  });
  return window?.values.get('count') ?? 0;
}

async function mayMount(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-mount-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
    await run('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
