import { NS_PER_SECOND, type Point, readingToPoint } from '@tidemark/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FaultProxy, startFaultProxy } from '../../testing/fault-proxy.ts';
import { findInfluxd, type Influxd, startInfluxd } from '../../testing/influxd.ts';
import { requireTool } from '../../testing/require-tool.ts';
import { Connection } from './connection.ts';
import { InfluxEngine } from './engine.ts';

const binary = findInfluxd();
const unavailable = { code: 'store_unavailable', retryable: true };

describe.skipIf(!requireTool('influxd', binary))(
  'InfluxEngine and the faults of influxd',
  { timeout: 60_000 },
  () => {
    let influxd: Influxd;
    let proxy: FaultProxy;
    let bucket: string;
    let engine: InfluxEngine;
    let buckets = 0;

    beforeAll(async () => {
      influxd = await startInfluxd(binary!);
      proxy = await startFaultProxy(influxd.url);
    }, 60_000);
    afterAll(async () => {
      await proxy?.stop();
      await influxd?.stop();
    });
    beforeEach(async () => {
      bucket = `faults${buckets++}`;
      await influxd.createBucket(bucket);
      engine = engineWith({});
      await engine.start();
    });
    afterEach(async () => {
      proxy.fault = undefined;
      proxy.seen = [];
      await engine.stop();
    });

    const settings = () => ({ ...influxd, url: proxy.url, bucket, timeoutMs: 30_000 });
    const engineWith = (part: object) => new InfluxEngine({ influx: { ...settings(), ...part } });
    const stored = async () => {
      const range = { fromNs: 0n, toNs: 2n ** 62n, order: 'asc', limit: 10_000 } as const;
      return (await engine.readings(range)).map(({ timeNs }) => Number(timeNs / NS_PER_SECOND));
    };
    const answer = (status: number, headers: Record<string, string> = {}) => {
      proxy.fault = ({ path }, response) => {
        if (!path.startsWith('/api/v2/write')) return false;
        response.writeHead(status, headers).end('{"code":"x","message":"made for a test"}');
        return true;
      };
    };

    test.each([429, 500, 502, 503, 401, 403, 404, 400, 422, 302])(
      'status %i without a word about the points loses none',
      async (status) => {
        answer(status, { 'content-type': 'application/json' });
        await expect(engine.write([at(1)])).rejects.toMatchObject(unavailable);
        proxy.fault = undefined;
        expect(await engine.write([at(1)])).toEqual([]);
        expect(await stored()).toEqual([1]);
      },
    );

    test('Retry-After is in seconds, or a date', async () => {
      answer(503, { 'retry-after': '7' });
      await expect(engine.write([at(1)])).rejects.toMatchObject({ retryAfterMs: 7000 });
      answer(429, { 'retry-after': new Date(0).toUTCString() });
      await expect(engine.write([at(1)])).rejects.toMatchObject({ retryAfterMs: 0 });
      answer(503);
      await expect(engine.write([at(1)])).rejects.toMatchObject({ retryAfterMs: undefined });
    });

    test('what is not there or not allowed is an outage, not the fault of the points', async () => {
      for (const part of [{ token: 'wrong' }, { bucket: 'absent' }, { org: 'absent' }, { org: '' }]) {
        const other = engineWith(part);
        await expect(other.write([at(1)]), JSON.stringify(part)).rejects.toMatchObject(unavailable);
      }
      const other = engineWith({ token: 'wrong' });
      await expect(other.latest({})).rejects.toMatchObject({
        ...unavailable,
        message: expect.stringMatching(/token/),
      });
      expect(await other.status()).toMatchObject({
        isHealthy: false,
        message: expect.stringMatching(/token/),
      });
    });

    test('no server is an outage', async () => {
      const closed = await startFaultProxy(influxd.url);
      await closed.stop();
      const other = engineWith({ url: closed.url });
      await other.start();
      await expect(other.write([at(1)])).rejects.toMatchObject({ ...unavailable, outage: 'unreachable' });
      await expect(other.latest({})).rejects.toMatchObject(unavailable);
      expect(await other.status()).toMatchObject({ isHealthy: false });
      await other.stop();
    });

    test('a server that never answers is an outage, and its request is ended', async () => {
      const other = engineWith({ timeoutMs: 100 });
      proxy.fault = () => true;
      await expect(other.latest({})).rejects.toMatchObject(unavailable);
      const ended = new Promise((resolve) => {
        proxy.fault = ({ path }, response) => {
          if (!path.startsWith('/api/v2/write')) return false;
          response.once('close', resolve);
          return true;
        };
      });
      await expect(other.write([at(1)])).rejects.toMatchObject(unavailable);
      await ended;
    });

    test('a query ends soon when the server answers not even a ping', async () => {
      const patient = engineWith({ timeoutMs: 3_600_000 });
      proxy.fault = () => true;
      const outage = { ...unavailable, outage: 'timeout', message: 'InfluxDB: no answer in time' };
      await expect(patient.latest({})).rejects.toMatchObject(outage);
      expect(await patient.status()).toMatchObject({ isHealthy: false });
    });

    test('a query that takes long goes on while the server answers pings', async () => {
      await engine.write([at(1)]);
      let pings = 0;
      proxy.fault = (_query, response) => {
        proxy.fault = (request) => {
          if (!request.path.startsWith('/ping') || ++pings < 3) return false;
          response.writeHead(200).end('{"results":[{"statement_id":0}]}\n');
          return false;
        };
        return true;
      };
      expect(await engine.latest({})).toEqual([]);
      expect(pings).toBe(3);
    });

    test('what answers a write with 200 is no InfluxDB: nothing counts as written', async () => {
      answer(200, { 'content-type': 'text/html' });
      await expect(engine.write([at(1)])).rejects.toMatchObject({
        ...unavailable,
        message: expect.stringMatching(/200 to a write.*INFLUX_URL/),
      });
    });

    test('what answers a query by a page is no InfluxDB', async () => {
      proxy.fault = (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>\n<p>Log in</p>\n');
        return true;
      };
      const fault = { ...unavailable, message: expect.stringMatching(/no JSON.*INFLUX_URL/) };
      await expect(engine.latest({})).rejects.toMatchObject(fault);
      await expect(engine.write([at(1)])).rejects.toMatchObject(unavailable);
    });

    test.each([
      [401, 'unauthorized'],
      [403, 'unauthorized'],
      [429, 'throttled'],
      [503, 'failed'],
      [404, 'other'],
    ])('status %i is an outage of the kind %s, and its text has the status once', async (status, outage) => {
      answer(status, { 'content-type': 'application/json' });
      const fault = await engine.write([at(1)]).catch((error: Error) => error);
      expect(fault).toMatchObject({ ...unavailable, outage });
      expect((fault as Error).message.match(new RegExp(String(status), 'g'))).toHaveLength(1);
    });

    test('an answer that breaks off is an outage', async () => {
      proxy.fault = (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
        response.write('{"results":[{"statement_id":0}]}\n', () => response.destroy());
        return true;
      };
      await expect(engine.latest({})).rejects.toMatchObject(unavailable);
    });

    test('a batch that is too large is split, and a point that is too large is refused', async () => {
      proxy.fault = ({ path, body }, response) => {
        if (!path.startsWith('/api/v2/write') || body.length <= 500) return false;
        response.writeHead(413).end();
        return true;
      };
      const points = Array.from({ length: 100 }, (_, index) => at(index));
      points[40] = { ...points[40]!, fields: [['note_text', 'x'.repeat(600)]] };
      const rejected = await engine.write(points);
      expect(rejected).toMatchObject([{ index: 40, reason: 'store_rejected' }]);
      expect(await stored()).toEqual(points.map((_, index) => index).filter((index) => index !== 40));
    });

    test('points that the server refuses are found among the others', async () => {
      await engine.write([at(0)]);
      // Another writer has pinned a type since.
      await new Connection(settings()).write(`readings,sensor=s pinned="text" ${NS_PER_SECOND}`);
      const points = Array.from({ length: 500 }, (_, index) => at(index));
      points[7] = { ...points[7]!, fields: [['pinned', 1]] };
      points[250] = { ...points[250]!, tags: [['_field', 'reserved']] };
      points[499] = { ...points[499]!, tags: [['sensor', 'x'.repeat(70_000)]] };
      const rejected = await engine.write(points);
      expect(rejected).toMatchObject([
        { index: 7, reason: 'type_conflict', detail: expect.stringMatching(/pinned/) },
        { index: 250, reason: 'store_rejected', detail: expect.stringMatching(/_field/) },
        { index: 499, reason: 'store_rejected' },
      ]);
      const range = { fromNs: 0n, toNs: 2n ** 62n, order: 'asc', limit: 10_000, metrics: ['x'] } as const;
      expect(await engine.readings(range)).toHaveLength(497);
    });

    describe('the requests that poison costs', () => {
      const count = 10_000;
      const points = () => Array.from({ length: count }, (_, index) => at(index));
      const writes = () => proxy.seen.filter((path) => path === '/api/v2/write').length;
      /** Refuses each request with a line of which this is true, and says nothing about which. */
      const refuse = (isPoison: (line: string) => boolean) => {
        proxy.fault = ({ path, body }, response) => {
          if (!path.startsWith('/api/v2/write') || !body.split('\n').some(isPoison)) return false;
          const message = 'failure writing points to database: partial write: of a kind made for a test';
          response.writeHead(422, { 'content-type': 'application/json' }).end(JSON.stringify({ message }));
          return true;
        };
      };

      test('one point in 10 000 that nobody names: two for each halving', async () => {
        const batch = points();
        refuse((line) => line.includes(' x=7777 '));
        expect(await engine.write(batch)).toMatchObject([{ index: 7777, reason: 'store_rejected' }]);
        expect(writes()).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(count)) + 1);
        proxy.fault = undefined;
        expect(await stored()).toHaveLength(count - 1);
      });

      test('however many: two for each point at most, and an end', async () => {
        const batch = points().slice(0, 500);
        refuse((line) => / x=\d*[02468] /.test(line));
        expect(await engine.write(batch)).toHaveLength(250);
        expect(writes()).toBeLessThan(2 * batch.length);
      });

      test('lines that influxd names, one or all of them: one and another for the rest', async () => {
        const batch = points();
        const bad = (index: number) => ({
          ...batch[index]!,
          tags: [['_field', `': x\\ '${index}`]] as const,
        });
        batch[5] = bad(5);
        expect(await engine.write(batch)).toMatchObject([
          { index: 5, reason: 'store_rejected', detail: 'cannot use reserved tag key "_field"' },
        ]);
        expect(writes()).toBe(2);
        expect(await stored()).toHaveLength(count - 1);
        proxy.seen = [];
        expect(await engine.write(batch.map((_, index) => bad(index)))).toHaveLength(count);
        expect(writes()).toBe(1);
      });

      test('more points than one request takes: each is told of by its own place', async () => {
        const batch = Array.from({ length: 2 * count + 1 }, (_, index) => at(index));
        for (const index of [0, count, 2 * count])
          batch[index] = { ...batch[index]!, tags: [['_field', 's']] };
        const rejected = await engine.write(batch);
        expect(rejected.map(({ index }) => index)).toEqual([0, count, 2 * count]);
        expect(writes()).toBe(5);
        const range = { fromNs: 0n, toNs: 2n ** 62n, order: 'asc', limit: 3 * count } as const;
        expect(await engine.readings(range)).toHaveLength(2 * count - 2);
      });

      test.each(['quarantine', 'coerce'] as const)(
        'a type that another writer gave, under %s: one, a look at the types, and one for the rest',
        async (typePolicy) => {
          const policed = new InfluxEngine({ influx: settings(), typePolicy });
          await policed.write([at(0)]);
          await new Connection(settings()).write(`readings,sensor=s pinned="text" 0`);
          proxy.seen = [];
          const batch = points().map((point, index) =>
            index % 2 === 0 ? point : { ...point, fields: [['pinned', index]] as const },
          );
          const rejected = await policed.write(batch);
          expect(rejected).toHaveLength(typePolicy === 'quarantine' ? count / 2 : 0);
          expect(rejected.every(({ reason }) => reason === 'type_conflict')).toBe(true);
          expect(writes()).toBe(2);
          expect(await stored()).toHaveLength(count - rejected.length);
          await policed.stop();
        },
      );

      test('points beyond the retention of the bucket: one when it is all of them', async () => {
        proxy.fault = ({ path }, response) => {
          if (!path.startsWith('/api/v2/write')) return false;
          const message = `failure writing points to database: partial write: dropped ${count} points outside retention policy of duration 1h0m0s dropped=${count} for database: x`;
          response.writeHead(422, { 'content-type': 'application/json' }).end(JSON.stringify({ message }));
          return true;
        };
        expect(await engine.write(points())).toHaveLength(count);
        expect(writes()).toBe(1);
      });
    });

    test('a refused point does not cost those it shares series and time with', async () => {
      await engine.write([at(0)]);
      await new Connection(settings()).write(`readings,sensor=s pinned="text" ${NS_PER_SECOND}`);
      const rejected = await engine.write([
        { ...at(2), fields: [['x', 1]] },
        { ...at(2), fields: [['pinned', 1]] },
        { ...at(2), fields: [['x', 2]] },
      ]);
      expect(rejected).toMatchObject([{ index: 1, reason: 'type_conflict' }]);
      expect(await engine.latest({ metrics: ['x'] })).toMatchObject([{ value: 2 }]);
    });

    test('the points of one series and time are sent as one line, with the last values', async () => {
      const bodies: string[] = [];
      proxy.fault = ({ path, body }) => {
        if (path.startsWith('/api/v2/write')) bodies.push(body);
        return false;
      };
      await engine.write([
        { ...at(1), fields: [['x', 1]] },
        { ...at(2), fields: [['x', 2]] },
        {
          ...at(1),
          fields: [
            ['y', 3],
            ['x', 4],
          ],
        },
      ]);
      expect(bodies).toEqual(['readings,sensor=s x=4,y=3 1000000000\nreadings,sensor=s x=2 2000000000']);
    });

    test('an answer with more rows than it may have is refused', async () => {
      await engine.write([at(1), at(2), at(3), at(4)]);
      const connection = new Connection(settings());
      expect((await connection.query(['SELECT x FROM readings'], 4))[0]?.[0]?.values).toHaveLength(4);
      await expect(connection.query(['SELECT x FROM readings'], 3)).rejects.toMatchObject({
        code: 'bad_request',
        retryable: false,
      });
    });

    test('a refused value pins no type', async () => {
      const bad: Point = { ...at(1), tags: [['_field', 'reserved']], fields: [['fresh', true]] };
      expect(await engine.write([bad])).toMatchObject([{ index: 0, reason: 'store_rejected' }]);
      expect(await engine.write([{ ...at(1), fields: [['fresh', 1]] }])).toEqual([]);
    });

    test('a value that was taken pins its type, even after one that was refused', async () => {
      const bad: Point = { ...at(1), tags: [['_field', 'reserved']], fields: [['fresh', true]] };
      expect(await engine.write([bad, { ...at(2), fields: [['fresh', true]] }])).toHaveLength(1);
      // Another week, hence another shard, where influxd has no objection.
      const later = { ...at(100 * 86_400), fields: [['fresh', 1.5]] } as const;
      expect(await engine.write([later])).toMatchObject([{ index: 0, reason: 'type_conflict' }]);
    });

    test('a field named "time" is refused, not dropped', async () => {
      const point: Point = {
        ...at(1),
        fields: [
          ['time', 1],
          ['x', 1],
        ],
      };
      expect(await engine.write([point, at(2)])).toMatchObject([{ index: 0, reason: 'store_rejected' }]);
      expect(await stored()).toEqual([2]);
    });

    test.each([
      ['/api/v2/write', 12_000],
      ['/query', 10],
    ])(
      'a rename that is cut short at any request to %s goes on when it is called again',
      async (path, count) => {
        const history = Array.from({ length: count }, (_, index) => at(index));
        for (let fatal = 1; ; fatal += 1) {
          const [from, to] = [`from ${fatal}`, `to ${fatal}`];
          await engine.write(history.map((point) => ({ ...point, tags: [['sensor', from]] as const })));
          let left = fatal;
          proxy.fault = (request, response) => {
            if (!request.path.startsWith(path) || --left !== 0) return false;
            response.writeHead(503).end();
            return true;
          };
          const isCut = await engine.renameSensor(from, to).then(
            () => false,
            () => true,
          );
          proxy.fault = undefined;
          if (isCut) await engine.renameSensor(from, to);
          expect(await engine.deleteSensor(from)).toEqual({ points: 0 });
          expect(await engine.deleteSensor(to)).toEqual({ points: count });
          if (!isCut) {
            expect(fatal).toBeGreaterThan(3);
            return;
          }
        }
      },
    );

    test('a rename that values of two types of a field stand in the way of copies nothing', async () => {
      await engine.write([at(1)]);
      // Of another writer, each in a week of its own: influxd lets a field have a type in each shard.
      const lines = ['travellers,sensor=s x="far" 1000000000', 'travellers,sensor=s x=1 8640001000000000'];
      for (const line of lines) expect(await new Connection(settings()).write(line)).toBe(undefined);
      const renamed = engine.renameSensor('s', 'new');
      await expect(renamed).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringMatching(/"x"/),
      });
      expect(await engine.deleteSensor('new')).toEqual({ points: 0 });
      expect(await engine.deleteSensor('s')).toEqual({ points: 3 });
      await engine.write([at(1)]);
      await engine.renameSensor('s', 'new');
      expect(await engine.deleteSensor('new')).toEqual({ points: 1 });
    });

    test('what was written is there after the server is killed', async () => {
      for (let batch = 0; batch < 5; batch += 1) {
        await engine.write(Array.from({ length: 200 }, (_, index) => at(batch * 200 + index)));
      }
      await engine.sync();
      await influxd.kill();
      await expect(engine.write([at(1000)])).rejects.toMatchObject(unavailable);
      await influxd.restart();
      expect(await engine.write([at(1000)])).toEqual([]);
      expect(await stored()).toEqual(Array.from({ length: 1001 }, (_, index) => index));
    });
  },
);

function at(seconds: number): Point {
  const timeNs = BigInt(seconds) * NS_PER_SECOND;
  return readingToPoint({ sensor: 's', location: undefined, timeNs, values: [['x', seconds]] });
}
