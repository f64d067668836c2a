import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Packet } from 'mqtt-packet';
import { RawMqtt } from '../../support/raw-mqtt.ts';
import type { Bench } from '../bench.ts';
import type { FaultCase } from '../fault-case.ts';
import { metricsOf } from '../oracle/metrics.ts';
import type { Publisher } from '../oracle/publish.ts';
import { assertKept } from '../oracle/verify.ts';

const QUEUE_MESSAGES = 2000;
const FLOOD_MESSAGES = 5000;
const FLOOD_WINDOW = 100;
/** More than the sockets between two processes hold: from some of these on, the broker cannot write. */
const BULK_MESSAGES = 300;
const BULK_BYTES = 100_000;
/** Acknowledged while a subscriber is frozen: were publishers held up by it, none would be. */
const ACKNOWLEDGED_MEANWHILE = 5000;

export const faultCase: FaultCase = {
  id: 'm',
  title: 'subscribers that read nothing, and a flood for a session whose client is away',
  criterion:
    'Publishers go on while a subscriber is frozen; it is dropped, and what its queue and that of the absent session ' +
    'could not hold is counted; who reads gets everything.',
  limitSeconds: { short: 120, long: 600 },
  async run(bench) {
    await bench.startPlatform({ env: { TIDEMARK_MQTT_MAX_QUEUED_MESSAGES: String(QUEUE_MESSAGES) } });
    const publisher = bench.publish({
      ...{ protocol: 'mqtt', connections: 10, window: 20, ratePerSecond: 2000, prefix: 'beside' },
    });
    await publisher.untilMore(2000);
    const without = await p99OfPhase(bench, publisher);
    const victims = await Promise.all([0, 1].map((qos) => freeze(bench, qos as 0 | 1)));
    const frozenAtMs = performance.now();
    const dropped = untilDropped(bench, victims.length);
    const isDropped = dropped.then(() => 'dropped');
    await fillSockets(bench);
    bench.progress('two subscribers are frozen');
    const wentOn = publisher.untilMore(ACKNOWLEDGED_MEANWHILE).then(() => 'went on');
    assert.equal(
      await Promise.race([wentOn, isDropped]),
      'went on',
      'a frozen subscriber held up publishers',
    );
    await publisher.takeLatency();
    await dropped;
    const droppedAfterMs = performance.now() - frozenAtMs;
    const beside = (await publisher.takeLatency()).p99Ms;
    bench.progress('they are dropped');

    const ofFrozen = await lost(bench);
    assert.ok(ofFrozen.slow_subscriber > 0, 'nothing was counted for the frozen subscriber of QoS 0');
    assert.ok(ofFrozen.queue_full > 0, 'nothing was counted for the frozen subscriber of QoS 1');
    const queued = await flood(bench, publisher);
    const ofAbsent = (await lost(bench)).queue_full - ofFrozen.queue_full;
    assert.equal(ofAbsent, FLOOD_MESSAGES - QUEUE_MESSAGES);
    assert.equal(queued.kept, QUEUE_MESSAGES);
    const summary = await publisher.stop();
    assert.equal(summary.disconnects, 0);
    const { acknowledged, duplicates } = await assertKept({ httpUrl: bench.httpUrl, summaries: [summary] });
    assert.equal(duplicates, 0);
    return {
      counts: {
        acknowledged,
        missing: 0,
        frozenAndDropped: victims.length,
        kept: queued.kept,
        lost: ofAbsent,
      },
      recorded: {
        pubackP99Ms: without,
        besideFrozenPubackP99Ms: beside,
        besideFloodPubackP99Ms: queued.p99Ms,
        droppedAfterMs,
      },
    };
  },
};

/** What the broker says that it dropped, by reason. */
async function lost(bench: Bench): Promise<{ slow_subscriber: number; queue_full: number }> {
  const metrics = await metricsOf(bench.httpUrl);
  const of = (reason: string): number =>
    metrics.get('tidemark_broker_dropped_messages_total', { reason }) ?? 0;
  return { slow_subscriber: of('slow_subscriber'), queue_full: of('queue_full') };
}

async function p99OfPhase(bench: Bench, publisher: Publisher): Promise<number> {
  await publisher.takeLatency();
  await delay(bench.choose({ short: 5, long: 60 }) * 1000, undefined, { signal: bench.signal });
  return (await publisher.takeLatency()).p99Ms;
}

async function connect(bench: Bench, clientId: string, clean = true): Promise<RawMqtt> {
  const connection = await RawMqtt.connect(bench.mqttUrl, clientId, clean);
  bench.defer(() => connection.end());
  return connection;
}

async function subscribe(connection: RawMqtt, topic: string, qos: 0 | 1): Promise<void> {
  connection.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] });
  await connection.until(({ cmd }) => cmd === 'suback');
}

/** A subscriber that stops to read once it has subscribed. */
async function freeze(bench: Bench, qos: 0 | 1): Promise<RawMqtt> {
  const victim = await connect(bench, `frozen-${qos}`);
  await subscribe(victim, '#', qos);
  victim.socket.pause();
  return victim;
}

/** Who does not read sees no end of the connection either. */
async function untilDropped(bench: Bench, clients: number): Promise<void> {
  while ((await metricsOf(bench.httpUrl)).sum('tidemark_broker_frozen_clients_total') < clients) {
    await delay(200, undefined, { signal: bench.signal });
  }
}

/** Publishes until nothing more can be written to who does not read, and its limits are passed. */
async function fillSockets(bench: Bench): Promise<void> {
  const bulk = await connect(bench, 'bulk');
  const payload = Buffer.alloc(BULK_BYTES);
  for (let n = 0; n < BULK_MESSAGES; n++) bulk.publish('bulk/data', payload, { qos: 0 });
  bulk.publish('bulk/end', '', { messageId: 1 });
  await bulk.until(({ cmd }) => cmd === 'puback');
}

/** Floods a session whose client is away, beside one that reads; resolves with what was kept for it. */
async function flood(bench: Bench, publisher: Publisher): Promise<{ kept: number; p99Ms: number }> {
  const absent = await connect(bench, 'absent', false);
  await subscribe(absent, 'flood/#', 1);
  absent.send({ cmd: 'disconnect' });
  await once(absent.socket, 'close');
  const reader = await connect(bench, 'reader');
  await subscribe(reader, 'flood/#', 1);
  const flooding = await connect(bench, 'flooding');
  await publisher.takeLatency();
  for (let sent = 0; sent < FLOOD_MESSAGES; sent += FLOOD_WINDOW) {
    for (let n = sent; n < sent + FLOOD_WINDOW; n++) {
      flooding.publish('flood/data', Buffer.alloc(1000), { messageId: n + 1 });
    }
    const last = sent + FLOOD_WINDOW;
    await flooding.until(({ cmd, messageId }) => cmd === 'puback' && messageId === last);
    await acknowledgeAll(reader, last);
  }
  const { p99Ms } = await publisher.takeLatency();
  bench.progress('the flood is over');
  const back = await connect(bench, 'absent', false);
  await acknowledgeAll(back, QUEUE_MESSAGES);
  // Whatever else was kept for it would come before this.
  flooding.publish('flood/end', 'end', { messageId: 1 });
  await back.until((packet) => packet.cmd === 'publish' && packet.topic === 'flood/end');
  return { kept: back.received.filter(isPublish).length - 1, p99Ms };
}

/** Acknowledges what comes until there are so many. */
async function acknowledgeAll(connection: RawMqtt, count: number): Promise<void> {
  for (let seen = 0, at = 0; seen < count; at++) {
    await connection.until(() => connection.received.length > at);
    const packet = connection.received[at]!;
    if (!isPublish(packet)) continue;
    seen++;
    if (packet.qos === 1) connection.send({ cmd: 'puback', messageId: packet.messageId! });
  }
}

function isPublish(packet: Packet): packet is Packet & { cmd: 'publish' } {
  return packet.cmd === 'publish';
}
