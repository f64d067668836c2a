import { readFileSync } from 'node:fs';
import { findInfluxd, requireTool } from '@tidemark/store/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { difference } from './compare.ts';
import { type Pair, startPair } from './pair.ts';
import { testLines } from './points.ts';
import { randomQuery } from './random-query.ts';

const RANDOM_QUERIES = 2500;
/** Fixed, so that a failure comes again; another one looks elsewhere. */
const seed = Number(process.env.INFLUXQL_SEED ?? 20_260_711);

const binary = findInfluxd();
const written = readFileSync(new URL('./queries.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

describe.skipIf(!requireTool('influxd', binary))(
  'InfluxQL on the embedded store, beside a real InfluxDB',
  () => {
    let pair: Pair;

    beforeAll(async () => {
      pair = await startPair(binary!, testLines());
    });

    afterAll(async () => {
      await pair?.stop();
    });

    async function differenceOf(query: string): Promise<string | undefined> {
      const [theirs, ours] = await Promise.all([pair.askInfluxd(query), pair.askTidemark(query)]);
      return difference(theirs, ours);
    }

    it.each(written)('%s', async (query) => {
      expect(await differenceOf(query)).toBeUndefined();
    });

    it(`answers ${RANDOM_QUERIES} random queries as InfluxDB does`, { timeout: 300_000 }, async () => {
      let compared = 0;
      const property = fc.asyncProperty(randomQuery(), async (query) => {
        compared += 1;
        expect(await differenceOf(query), query).toBeUndefined();
      });
      await fc.assert(property, { numRuns: RANDOM_QUERIES, seed, endOnFailure: false });
      const { version } = (await (await fetch(`${pair.influxd.url}/health`)).json()) as { version: string };
      console.log(
        `influxd ${version}: ${written.length} written and ${compared} random queries answered alike`,
      );
    });
  },
);
