import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createMetrics, silentLogger, systemClock } from '@tidemark/core';
import { engineContract } from '../../testing/engine-contract.ts';
import { EmbeddedEngine } from './engine.ts';

engineContract('embedded', {
  async open({ typePolicy }) {
    const path = join(mkdtempSync(join(tmpdir(), 'tidemark-embedded-')), 'store');
    const create = () =>
      new EmbeddedEngine({
        path,
        memoryBytes: 256 * 2 ** 20,
        typePolicy,
        clock: systemClock,
        metrics: createMetrics(),
        logger: silentLogger,
      });
    let engine = create();
    await engine.start();
    return {
      engine,
      async reopen() {
        await engine.stop();
        engine = create();
        await engine.start();
        return engine;
      },
      async close() {
        await engine.stop();
        rmSync(dirname(path), { recursive: true });
      },
    };
  },
});
