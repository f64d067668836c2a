import { type Point, TidemarkError } from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import { afterEach, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

let stop: (() => Promise<void>) | undefined;
afterEach(() => stop?.());

/** Points without end, and how many pages of them were asked for. */
class EndlessEngine {
  pages = 0;
  isEnded = false;

  async *points(): AsyncGenerator<readonly Point[]> {
    try {
      for (; this.pages < 100_000; this.pages++)
        yield Array.from({ length: 10_000 }, (_, index) => pointAt(index));
    } finally {
      this.isEnded = true;
    }
  }

  async fields() {
    return [{ measurement: 'm', field: 'f', type: 'float' as const }];
  }
}

function pointAt(index: number): Point {
  return { measurement: 'm', tags: [['k', 'v']], fields: [['f', index]], timeNs: BigInt(index) };
}

it.each(['csv', 'line'])(
  '%s: takes from the store only what the reader takes, and stops with it',
  async (format) => {
    const engine = new EndlessEngine();
    const platform = await startTestPlatform({ engine: engine as unknown as Engine });
    stop = platform.stop;
    const response = await platform.app.request(`/api/v1/export?format=${format}`, {
      headers: { host: 'localhost' },
    });
    expect(response.status).toBe(200);
    const reader = response.body!.getReader();
    let bytes = 0;
    for (let piece = 0; piece < 25; piece++) bytes += (await reader.read()).value!.length;
    expect(bytes).toBeGreaterThan(20_000 * 10);
    expect(engine.pages).toBeLessThanOrEqual(3);
    await reader.cancel();
    expect(engine.isEnded).toBe(true);
  },
);

it('a store that fails first is a problem, one that fails later breaks the answer off', async () => {
  let pages = 0;
  const engine = {
    async *points() {
      while (pages-- > 0) yield [pointAt(1)];
      throw new TidemarkError('store_unavailable', 'gone', { retryable: true });
    },
    fields: async () => [],
  };
  const platform = await startTestPlatform({ engine: engine as unknown as Engine });
  stop = platform.stop;
  const ask = () => platform.app.request('/api/v1/export?format=line', { headers: { host: 'localhost' } });
  const refused = await ask();
  expect(refused.status).toBe(503);
  expect(refused.headers.get('content-type')).toBe('application/problem+json');
  pages = 2;
  const broken = await ask();
  expect(broken.status).toBe(200);
  await expect(broken.text()).rejects.toThrow('gone');
});
