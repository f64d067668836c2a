import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Admin, Consumer, Producer, stringSerializers } from '@platformatic/kafka';
import { findInfluxd, requireTool, startInfluxd } from '@tidemark/store/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { findProgram } from '../support/find-program.ts';
import { freePort } from '../support/free-port.ts';
import { Kafka, kafkaHome } from '../support/kafka.ts';
import { type PlatformProcess, startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

const hasKafka = requireTool('Kafka', kafkaHome);
const hasInfluxd = requireTool('influxd', findInfluxd());

interface Sent {
  topic: string;
  key?: string;
  value?: string;
  timestamp?: bigint;
}

async function start(env: Record<string, string>, dataDir?: string): Promise<PlatformProcess> {
  const platform = await startPlatform({ dataDir: dataDir ?? (await tempDir()), env });
  onTestFinished(async () => void (await platform.end('SIGKILL')));
  return platform;
}

async function producerOf(kafka: Kafka): Promise<(messages: Sent[]) => Promise<void>> {
  const producer = new Producer({
    clientId: 'test',
    bootstrapBrokers: [kafka.brokers],
    serializers: stringSerializers,
    retries: 50,
    retryDelay: 100,
  });
  onTestFinished(() => producer.close(true).catch(() => {}));
  return async (messages) => void (await producer.send({ messages, acks: -1 }));
}

/** A member of the platform's group besides it, as soon as there is room; it takes nothing. */
async function joinAlone(kafka: Kafka): Promise<Consumer> {
  for (;;) {
    const consumer = new Consumer({
      clientId: 'test',
      groupId: 'tidemark',
      bootstrapBrokers: [kafka.brokers],
    });
    consumer.topics.track('readings');
    const hasJoined = await consumer.joinGroup({}).then(
      () => true,
      () => false,
    );
    if (hasJoined) return consumer;
    await consumer.close(true);
  }
}

async function committedOf(kafka: Kafka): Promise<number> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [kafka.brokers] });
  const groups = await admin.listConsumerGroupOffsets({ groups: ['tidemark'] });
  await admin.close();
  const partitions = groups.flatMap(({ topics }) => topics.flatMap((topic) => topic.partitions));
  return partitions.reduce((sum, { committedOffset }) => sum + Math.max(Number(committedOffset), 0), 0);
}

async function metricsOf({ httpUrl }: PlatformProcess): Promise<(name: string) => number> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text();
  return (name) => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
}

/** What `/health` says of it. */
async function healthOf({ httpUrl }: PlatformProcess): Promise<string> {
  const { checks } = (await (await fetch(`${httpUrl}/health`)).json()) as {
    checks: { name: string; status: string; message: string }[];
  };
  const check = checks.find(({ name }) => name === 'kafka');
  return `${check?.status}: ${check?.message}`;
}

/** Values of `n` that are stored, in numerical order. */
async function stored({ httpUrl }: PlatformProcess): Promise<number[]> {
  const readings = await allReadings(httpUrl);
  return readings.map(({ n }) => Number(n)).sort((a, b) => a - b);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** Sends `n` from 1 to `count` in small batches, keyed by one of seven sensors; `sent` tells how far it is. */
async function sendNumbers(
  send: (messages: Sent[]) => Promise<void>,
  count: number,
  payloadOf: (n: number, sensor: string) => string,
  onSent: (n: number) => void = () => {},
): Promise<void> {
  for (let from = 1; from <= count; from += 20) {
    const batch = upTo(Math.min(20, count - from + 1)).map((index) => from + index - 1);
    await send(batch.map((n) => ({ topic: 'readings', key: `s${n % 7}`, value: payloadOf(n, `s${n % 7}`) })));
    onSent(from + batch.length - 1);
  }
}

// A node takes seconds to start, and a killed member's partitions are free after its session of 10 s; on a busy machine
// each start takes half a minute. What is waited for has limits of its own.
const timeout = 420_000;

describe.skipIf(!hasKafka)('readings of Kafka', { timeout }, () => {
  it('are stored, by what their topics say', async () => {
    const topics = ['readings', 'temperature', 'travellers', 'keyed'].map((topic) => ({
      topic,
      partitions: 2,
    }));
    const kafka = await Kafka.start(topics);
    const send = await producerOf(kafka);
    const platform = await start({
      TIDEMARK_KAFKA_BROKERS: kafka.brokers,
      TIDEMARK_KAFKA_TOPICS:
        'readings,temperature=sensors/room/{topic},travellers=travellers/{key},keyed=sensors/{key}',
    });
    await send([
      { topic: 'readings', value: '{"sensor": "flat", "humidity": 40, "time": 1700000000}' },
      { topic: 'readings', value: '[{"sensor": "flat", "humidity": 41, "time": 1700000001}]' },
      // Without a time, that of the record.
      { topic: 'temperature', value: '21.5', timestamp: 1_700_000_002_000n },
      { topic: 'temperature', value: '{"value": 22, "time": "2023-11-14 22:13:23"}' },
      {
        topic: 'travellers',
        key: 'gate',
        value: '{"traveller": "t1", "type": "car", "x": 1, "y": 2, "time": 1700000000}',
      },
      { topic: 'keyed', key: 'kitchen', value: '{"co2": 400, "time": 1700000000}' },
      { topic: 'keyed', key: 'a/b', value: '{"co2": 401}' },
      { topic: 'keyed', value: '{"co2": 402}' },
      { topic: 'readings', value: 'poison' },
      { topic: 'readings', value: '{"humidity": 43}' },
      { topic: 'readings', key: 'flat' },
      { topic: 'readings', value: '{"sensor": "flat", "humidity": 44, "time": 1700000002}' },
    ]);
    await expect.poll(async () => (await allReadings(platform.httpUrl)).length, { timeout: 30_000 }).toBe(6);
    const readings = await allReadings(platform.httpUrl);
    expect(readings.map(({ sensor, time }) => [sensor, time])).toEqual(
      expect.arrayContaining([
        ['room', '2023-11-14T22:13:22Z'],
        ['room', '2023-11-14T22:13:23Z'],
        ['kitchen', '2023-11-14T22:13:20Z'],
      ]),
    );
    const positions = await fetch(
      `${platform.httpUrl}/query?db=tidemark&q=${encodeURIComponent('SELECT x, y FROM travellers')}`,
    );
    expect(JSON.stringify(await positions.json())).toContain('["2023-11-14T22:13:20Z",1,2]');
    const quarantine = await fetch(`${platform.httpUrl}/api/v1/quarantine`);
    const { items } = (await quarantine.json()) as { items: { reason: string; source: string }[] };
    expect(items.map(({ reason }) => reason).sort()).toEqual([
      'bad_sensor',
      'bad_sensor',
      'bad_sensor',
      'malformed_json',
    ]);
    expect(new Set(items.map(({ source }) => source))).toEqual(new Set(['kafka']));
    // Poison is behind: the offsets of all are committed.
    await expect.poll(() => committedOf(kafka), { timeout: 30_000 }).toBe(12);
    const metric = await metricsOf(platform);
    expect(metric('tidemark_kafka_records_total')).toBe(12);
    expect(metric('tidemark_kafka_empty_records_total')).toBe(1);
    expect(metric('tidemark_kafka_connected')).toBe(1);
    const replayed = await fetch(`${platform.httpUrl}/api/v1/quarantine/replay`, { method: 'POST' });
    expect(await replayed.json()).toMatchObject({ refused: 2 });
    expect(await platform.end('SIGTERM')).toBe(0);
  });

  it.each([
    ['with times', (n: number, sensor: string) => JSON.stringify({ sensor, n, time: 1_700_000_000_000 + n })],
    ['without times', (n: number, sensor: string) => JSON.stringify({ sensor, n })],
  ])('%s are stored once each after kill -9 of the platform', async (_name, payloadOf) => {
    const count = 4000;
    const kafka = await Kafka.start([{ topic: 'readings', partitions: 3 }]);
    const send = await producerOf(kafka);
    const dataDir = await tempDir();
    const env = { TIDEMARK_KAFKA_BROKERS: kafka.brokers, TIDEMARK_KAFKA_TOPICS: 'readings' };
    const first = await start(env, dataDir);
    const sending = sendNumbers(send, count, payloadOf);
    await expect
      .poll(async () => (await stored(first)).length, { timeout: 30_000 })
      .toBeGreaterThan(count / 10);
    await first.end('SIGKILL');
    await sending;
    const second = await start(env, dataDir);
    await expect.poll(() => stored(second), { timeout: 60_000 }).toEqual(upTo(count));
    await expect.poll(() => committedOf(kafka), { timeout: 30_000 }).toBe(count);
  });

  it('are read on after the group could not be joined again', async () => {
    const kafka = await Kafka.start([{ topic: 'readings', partitions: 3 }], ['group.max.size=1']);
    const send = await producerOf(kafka);
    const platform = await start({
      TIDEMARK_KAFKA_BROKERS: kafka.brokers,
      TIDEMARK_KAFKA_TOPICS: 'readings',
    });
    const payloadOf = (n: number, sensor: string) =>
      JSON.stringify({ sensor, n, time: 1_700_000_000_000 + n });
    await sendNumbers(send, 100, payloadOf);
    await expect.poll(() => stored(platform)).toEqual(upTo(100));
    platform.child.kill('SIGSTOP');
    const other = await joinAlone(kafka);
    platform.child.kill('SIGCONT');
    await expect.poll(() => healthOf(platform)).toMatch(/^fail: .*max size/);
    await sendNumbers(send, 200, payloadOf);
    await other.close();
    await expect.poll(() => stored(platform), { timeout: 60_000 }).toEqual(upTo(200));
    await expect.poll(() => committedOf(kafka)).toBe(300);
    expect(await healthOf(platform)).toContain('3 partitions');
    expect(await platform.end('SIGTERM')).toBe(0);
  });

  it('are all stored after kill -9 of the broker', async () => {
    const count = 1000;
    const kafka = await Kafka.start([{ topic: 'readings', partitions: 3 }]);
    const send = await producerOf(kafka);
    const platform = await start({
      TIDEMARK_KAFKA_BROKERS: kafka.brokers,
      TIDEMARK_KAFKA_TOPICS: 'readings',
    });
    const payloadOf = (n: number, sensor: string) =>
      JSON.stringify({ sensor, n, time: 1_700_000_000_000 + n });
    await sendNumbers(send, count / 2, payloadOf);
    await expect.poll(async () => (await stored(platform)).length, { timeout: 30_000 }).toBeGreaterThan(0);
    await kafka.kill();
    await kafka.run();
    await sendNumbers(send, count, payloadOf);
    await expect.poll(() => stored(platform), { timeout: 60_000 }).toEqual(upTo(count));
  });
});

/** A node with a second listener that asks for TLS and a password. */
async function startSecure(): Promise<{ kafka: Kafka; brokers: string; cert: string }> {
  const folder = await tempDir();
  const [key, cert, both] = ['key.pem', 'cert.pem', 'both.pem'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', [...request, ...names, '-keyout', key, '-out', cert, '-days', '2'], {
    stdio: 'ignore',
  });
  writeFileSync(both, readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'));
  const brokers = `127.0.0.1:${await freePort()}`;
  const modules = 'org.apache.kafka.common.security';
  const kafka = await Kafka.start(
    [{ topic: 'readings', partitions: 1 }],
    [
      `listeners=PLAINTEXT://127.0.0.1:{port},SECURE://${brokers},CONTROLLER://127.0.0.1:{controllerPort}`,
      'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL',
      'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      `listener.name.secure.plain.sasl.jaas.config=${modules}.plain.PlainLoginModule required user_tidemark="right";`,
      `listener.name.secure.scram-sha-256.sasl.jaas.config=${modules}.scram.ScramLoginModule required;`,
      `listener.name.secure.scram-sha-512.sasl.jaas.config=${modules}.scram.ScramLoginModule required;`,
      'listener.name.secure.ssl.keystore.type=PEM',
      `listener.name.secure.ssl.keystore.location=${both}`,
    ],
    ['256', '512'].map((bits) => `SCRAM-SHA-${bits}=[name=tidemark,password=right]`),
  );
  return { kafka, brokers, cert };
}

describe.skipIf(!hasKafka || !requireTool('openssl', findProgram('openssl')))(
  'a Kafka that asks for TLS and a password',
  { timeout },
  () => {
    it('is read by each mechanism, and says what is wrong with password or certificate', async () => {
      const { kafka, brokers, cert } = await startSecure();
      const send = await producerOf(kafka);
      await send([{ topic: 'readings', value: '{"sensor": "s", "n": 1, "time": 1700000000}' }]);
      const settings = (mechanism: string) => ({
        TIDEMARK_KAFKA_BROKERS: brokers,
        TIDEMARK_KAFKA_TOPICS: 'readings',
        TIDEMARK_KAFKA_GROUP: mechanism,
        TIDEMARK_KAFKA_TLS: 'true',
        TIDEMARK_KAFKA_SASL_MECHANISM: mechanism,
        TIDEMARK_KAFKA_USERNAME: 'tidemark',
        TIDEMARK_KAFKA_PASSWORD: 'right',
        NODE_EXTRA_CA_CERTS: cert,
      });
      for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
        const platform = await start(settings(mechanism));
        await expect.poll(() => stored(platform)).toEqual([1]);
        expect(await platform.end('SIGTERM')).toBe(0);
      }
      for (const [fault, reason] of [
        [
          { TIDEMARK_KAFKA_SASL_MECHANISM: 'PLAIN', TIDEMARK_KAFKA_PASSWORD: 'wrong' },
          /^fail: .*authentication failed/,
        ],
        [{ TIDEMARK_KAFKA_PASSWORD: 'wrong' }, /^fail: .*authentication failed/],
        [{ NODE_EXTRA_CA_CERTS: '' }, /^fail: .*self-signed certificate/],
      ] as const) {
        const platform = await start({ ...settings('SCRAM-SHA-512'), ...fault });
        await expect.poll(() => healthOf(platform)).toMatch(reason);
        expect((await metricsOf(platform))('tidemark_kafka_connected')).toBe(0);
        expect(platform.log()).toContain('no records come from Kafka');
        expect(await platform.end('SIGTERM')).toBe(0);
      }
    });
  },
);

describe.skipIf(!hasKafka || !hasInfluxd)('two replicas in one group', { timeout }, () => {
  it('store every reading though one is killed, and every window equals that of one process', async () => {
    const influxd = await startInfluxd(findInfluxd()!);
    onTestFinished(() => influxd.stop());
    const storeOf = async (bucket: string) => {
      await influxd.createBucket(bucket);
      const { url, token, org } = influxd;
      const influx = { INFLUX_URL: url, INFLUX_TOKEN: token, INFLUX_ORG: org, INFLUX_BUCKET: bucket };
      return { TIDEMARK_STORE: 'influxdb', ...influx };
    };
    const count = 4000;
    const kafka = await Kafka.start([{ topic: 'readings', partitions: 4 }]);
    const send = await producerOf(kafka);
    const shared = {
      TIDEMARK_KAFKA_BROKERS: kafka.brokers,
      TIDEMARK_KAFKA_TOPICS: 'readings',
      ...(await storeOf('shared')),
    };
    const dataDir = await tempDir();
    const [killed, other] = [await start(shared, dataDir), await start(shared)];
    const alone = await start({ ...shared, TIDEMARK_KAFKA_GROUP: 'alone', ...(await storeOf('alone')) });
    const recordsOf = async (platform: PlatformProcess) =>
      (await metricsOf(platform))('tidemark_kafka_records_total');
    const payloadOf = (n: number, sensor: string) =>
      JSON.stringify({ sensor, n: n * 0.5, time: 1_700_000_000_000 + n * 100 });
    // One that became a member only when all was read would have no part in it.
    for (const platform of [killed, other])
      await expect.poll(() => healthOf(platform), { timeout: 60_000 }).toContain('2 partitions');
    let sent = 0;
    const sending = sendNumbers(send, count, payloadOf, (n) => {
      sent = n;
    });
    const killing = expect
      .poll(async () => sent >= count / 4 && (await recordsOf(killed)) > 0, {
        interval: 5,
        timeout: 60_000,
      })
      .toBe(true)
      .then(() => killed.end('SIGKILL'));
    await Promise.all([sending, killing]);
    // What it had made durable and not written to the store yet is in its spool.
    await start(shared, dataDir);
    const windows = async ({ httpUrl }: PlatformProcess) => {
      const query =
        'metric=n&from=1700000000&to=1700001000&every=10s&by=sensor&fn=count,sum,min,max,first,last';
      return ((await (await fetch(`${httpUrl}/api/v1/windows?${query}`)).json()) as { items: object[] })
        .items;
    };
    const totalOf = async (platform: PlatformProcess) =>
      (await windows(platform)).reduce((sum, item) => sum + (item as { count: number }).count, 0);
    await expect.poll(() => totalOf(alone), { timeout: 60_000 }).toBe(count);
    await expect.poll(() => totalOf(other), { timeout: 90_000 }).toBe(count);
    expect(await windows(other)).toEqual(await windows(alone));
  });
});
