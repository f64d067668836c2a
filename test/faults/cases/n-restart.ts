import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultCase } from '../fault-case.ts';
import { NumberPublisher, NumberSubscriber } from '../mqtt/numbered.ts';
import { assertKept } from '../oracle/verify.ts';

const MOST_RUNNING_MS = 1000;
/** So that every end has something to interrupt. */
const LEAST_MESSAGES = 30;

export const faultCase: FaultCase = {
  id: 'n',
  title: 'restarts with QoS 1 and QoS 2 in flight',
  criterion:
    'QoS 2 comes exactly once and QoS 1 at least once, readings in the store as well as other messages to a subscriber ' +
    'with a session, which also get them in order.',
  limitSeconds: { short: 180, long: 1200 },
  async run(bench) {
    const restarts = bench.choose({ short: 8, long: 60 });
    const { mqttUrl: url } = bench;
    const loads = [1, 2].map((qos) =>
      bench.publish({
        ...{ protocol: 'mqtt', qos: qos as 1 | 2, connections: 2, window: 20, ratePerSecond: 500 },
        time: 'server',
        prefix: `qos${qos}`,
      }),
    );
    const pairs = ([1, 2] as const).map((qos) => {
      const options = { url, qos, topic: `numbers/qos${qos}` };
      return { qos, publisher: new NumberPublisher(options), subscriber: new NumberSubscriber(options) };
    });
    for (const client of pairs.flatMap(({ publisher, subscriber }) => [publisher, subscriber])) {
      bench.defer(() => client.end());
    }
    for (let restart = 0; restart <= restarts; restart++) {
      const platform = await bench.startPlatform();
      if (restart === 0) {
        for (const { subscriber } of pairs) subscriber.start();
        await Promise.all(pairs.map(({ subscriber }) => subscriber.untilSubscribed()));
        for (const { publisher } of pairs) publisher.start();
      }
      await Promise.all(pairs.map(({ publisher }) => publisher.untilMore(LEAST_MESSAGES)));
      if (restart === restarts) break;
      await Promise.all(loads.map((load) => load.untilMore(LEAST_MESSAGES)));
      await delay(bench.random() * MOST_RUNNING_MS);
      await platform.end(restart % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
      bench.progress(`restart ${restart + 1} of ${restarts}`);
    }
    const counts: Record<string, number> = { restarts };
    for (const { qos, publisher, subscriber } of pairs) {
      const sent = await publisher.finish();
      // They keep their order: after the last one, sent since the last start, nothing more comes.
      await subscriber.until(sent - 1);
      const repeated = [...subscriber.times.values()].filter((times) => times > 1).length;
      assert.equal(sent - subscriber.times.size, 0, `messages of QoS ${qos} are missing`);
      assert.equal(subscriber.disordered, 0, `QoS ${qos} came out of order`);
      if (qos === 2) assert.equal(repeated, 0, `${repeated} messages of QoS 2 came more than once`);
      Object.assign(counts, { [`qos${qos}Messages`]: sent, [`qos${qos}Repeated`]: repeated });
    }
    const summaries = await Promise.all(loads.map((load) => load.stop()));
    const { acknowledged, duplicates } = await assertKept({ httpUrl: bench.httpUrl, summaries });
    assert.equal(duplicates, 0);
    return { counts: { ...counts, acknowledged, missing: 0, duplicates }, recorded: {} };
  },
};
