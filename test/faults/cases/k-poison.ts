import assert from 'node:assert/strict';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { findInfluxd, type Influxd, startInfluxd } from '@tidemark/store/testing';
import { allReadings } from '../../support/all-readings.ts';
import { RawMqtt } from '../../support/raw-mqtt.ts';
import type { Bench } from '../bench.ts';
import type { FaultCase } from '../fault-case.ts';
import { metricsOf } from '../oracle/metrics.ts';
import { assertKept } from '../oracle/verify.ts';

const linesPerMessage = 5000;
const firstNs = 1_700_000_000_000_000_000n;

/** Messages that are refused as a whole. */
const refusedWhole: { topic: string; payload: string | Buffer; reason: string }[] = [
  { topic: 'sensors/poison/value', payload: 'NaN', reason: 'not_finite' },
  { topic: 'sensors/poison/value', payload: '1e400', reason: 'not_finite' },
  { topic: 'sensors/poison', payload: '{"value": -Infinity}', reason: 'malformed_json' },
  { topic: 'sensors/poison', payload: Buffer.from([0x7b, 0xff, 0x7d]), reason: 'invalid_utf8' },
  { topic: 'lines/poison', payload: Buffer.from([0x6d, 0x20, 0xff]), reason: 'invalid_utf8' },
];

/** A message of many lines, one of them bad. */
interface Message {
  sensor: string;
  badLine: number;
  reason: string;
}

interface Found {
  accepted: number;
  quarantined: number;
  writeFailures: number;
}

export const faultCase: FaultCase = {
  id: 'k',
  title: 'poison: values that cannot be stored, on both stores',
  criterion:
    'One bad line in 5 000 costs itself alone, whoever finds it; all else is stored, and no batch is tried again.',
  needs: [{ name: 'influxd', find: findInfluxd }],
  limitSeconds: { short: 120, long: 600 },
  async run(bench) {
    const embedded = await withStore(bench, 'embedded');
    const influxd = await startInfluxd(findInfluxd()!);
    bench.defer(() => influxd.stop());
    const influxdb = await withStore(bench, 'influxdb', influxd);
    return {
      counts: {
        lines: embedded.accepted + influxdb.accepted,
        quarantined: embedded.quarantined + influxdb.quarantined,
        storeWriteFailures: embedded.writeFailures + influxdb.writeFailures,
      },
      recorded: {},
    };
  },
};

async function withStore(bench: Bench, store: 'embedded' | 'influxdb', influxd?: Influxd): Promise<Found> {
  const rounds = bench.choose({ short: 1, long: 20 });
  const start = (typePolicy: string) =>
    bench.startPlatform({
      dataDir: join(bench.directory, store),
      env: {
        TIDEMARK_STORE: store,
        TIDEMARK_STORE_TYPE_POLICY: typePolicy,
        TIDEMARK_MAX_READINGS_PER_MESSAGE: String(linesPerMessage),
        TIDEMARK_MQTT_MAX_PACKET_BYTES: '1000000',
        ...(influxd && { INFLUX_URL: influxd.url, INFLUX_TOKEN: influxd.token, INFLUX_ORG: influxd.org }),
      },
    });
  const platform = await start('quarantine');
  const publisher = bench.publish({ protocol: 'mqtt', connections: 2, ratePerSecond: 500, prefix: store });
  const expected: string[] = [];
  const messages: Message[] = [];
  await publish(bench, 'lines/pin', Buffer.from(`readings,sensor=pin value=1 ${firstNs}`));
  for (let round = 0; round < rounds; round++) {
    for (const { topic, payload, reason } of refusedWhole) {
      await publish(bench, topic, Buffer.from(payload));
      expected.push(reason);
    }
    const sent = await poisonLines(bench, `${store}-${round}`, influxd);
    expected.push(...sent.map(({ reason }) => reason));
    messages.push(...sent);
    bench.progress(`${store}: round ${round + 1} of ${rounds}`);
  }
  const summaries = [await publisher.stop()];
  await assertKept({ httpUrl: bench.httpUrl, summaries });
  for (const message of messages) await assertOthersStored(bench, message);
  assert.deepEqual(await quarantined(bench), expected.sort());
  const writeFailures = (await metricsOf(bench.httpUrl)).sum('tidemark_store_write_failures_total');
  assert.equal(writeFailures, 0, 'a batch was tried again because of poison');
  await platform.end('SIGTERM');
  const coercing = await start('coerce');
  await coerces(bench);
  await coercing.end('SIGTERM');
  const accepted = messages.length * (linesPerMessage - 1);
  return { accepted, quarantined: expected.length, writeFailures };
}

/** Sends messages of 5 000 lines with a bad one in each. */
async function poisonLines(bench: Bench, name: string, influxd: Influxd | undefined): Promise<Message[]> {
  const bad = [
    { sensor: `${name}-unreadable`, fields: 'value=', reason: 'bad_line' },
    { sensor: `${name}-conflict`, fields: 'value_text=1', reason: 'type_conflict' },
  ];
  // Text of readings has fields of its own, which a number cannot have.
  await publish(bench, 'lines/poison', Buffer.from(`readings,sensor=${name}-text value="strong" ${firstNs}`));
  if (influxd !== undefined) {
    // A type that only the server knows, since another writer gave it after the platform had asked.
    await writeToInfluxd(influxd, `readings,sensor=other ${foreignField(name)}="text" ${firstNs}`);
    bad.push({ sensor: `${name}-foreign`, fields: `${foreignField(name)}=1`, reason: 'type_conflict' });
  }
  const messages: Message[] = [];
  for (const { sensor, fields, reason } of bad) {
    const badLine = Math.floor(bench.random() * linesPerMessage);
    const lines = Array.from(
      { length: linesPerMessage },
      (_, n) => `readings,sensor=${sensor} ${n === badLine ? fields : `value=${n}.5`} ${firstNs + BigInt(n)}`,
    );
    await publish(bench, 'lines/poison', Buffer.from(lines.join('\n')));
    messages.push({ sensor, badLine, reason });
  }
  return messages;
}

async function assertOthersStored(bench: Bench, { sensor, badLine }: Message): Promise<void> {
  const values = (await allReadings(bench.httpUrl, `sensor=${sensor}`)).map(({ value }) => value);
  const others = Array.from({ length: linesPerMessage }, (_, n) => n + 0.5).filter((_, n) => n !== badLine);
  const isSame = isDeepStrictEqual(values, others);
  assert.ok(isSame, `${sensor}: ${values.length} values are stored, not the ${others.length} that were sent`);
}

/** Under this policy what converts without loss is stored, and only the rest quarantined. */
async function coerces(bench: Bench): Promise<void> {
  const before = (await quarantined(bench)).length;
  const values = ['1.5', '5i', 't', '"12.5"', '"warm"', '9007199254740993i'];
  const lines = values.map((value, n) => `machines,sensor=coerced value=${value} ${firstNs + BigInt(n)}`);
  await publish(bench, 'lines/poison', Buffer.from(lines.join('\n')));
  await assertKept({ httpUrl: bench.httpUrl, summaries: [] });
  const query = new URLSearchParams({ db: 'tidemark', q: 'SELECT value FROM machines' });
  const { results } = (await (await fetch(`${bench.httpUrl}/query?${query}`)).json()) as {
    results: { series?: { values: [time: string, value: unknown][] }[] }[];
  };
  const stored = results[0]?.series?.[0]?.values.map(([, value]) => value);
  assert.deepEqual(stored, [1.5, 5, 1, 12.5]);
  assert.equal((await quarantined(bench)).length - before, 2);
}

/** The reasons of all that is in the quarantine, in order. */
async function quarantined(bench: Bench): Promise<string[]> {
  const response = await fetch(`${bench.httpUrl}/api/v1/quarantine?limit=1000`);
  assert.equal(response.status, 200);
  const { items } = (await response.json()) as { items: { reason: string }[] };
  return items.map(({ reason }) => reason).sort();
}

function foreignField(name: string): string {
  return `foreign_${name.replaceAll('-', '_')}`;
}

async function publish(bench: Bench, topic: string, payload: Buffer): Promise<void> {
  const connection = await RawMqtt.connect(bench.mqttUrl, 'poisoner');
  connection.publish(topic, payload);
  await connection.until(({ cmd }) => cmd === 'puback');
  connection.end();
}

async function writeToInfluxd({ url, token, org, bucket }: Influxd, line: string): Promise<void> {
  const query = new URLSearchParams({ org, bucket, precision: 'ns' });
  const headers = { authorization: `Token ${token}` };
  const response = await fetch(`${url}/api/v2/write?${query}`, { method: 'POST', headers, body: line });
  assert.equal(response.status, 204);
}
