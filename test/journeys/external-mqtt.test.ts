import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findInfluxd, requireTool, startInfluxd } from '@tidemark/store/testing';
import { connectAsync, type MqttClient } from 'mqtt';
import { describe, expect, it, onTestFinished } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { findProgram } from '../support/find-program.ts';
import { Mosquitto, mosquittoBinary, persistence } from '../support/mosquitto.ts';
import { type PlatformProcess, startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

const hasMosquitto = requireTool('mosquitto', mosquittoBinary);
const hasInfluxd = requireTool('influxd', findInfluxd());

async function start(env: Record<string, string>, dataDir?: string): Promise<PlatformProcess> {
  const platform = await startPlatform({ dataDir: dataDir ?? (await tempDir()), env });
  onTestFinished(async () => void (await platform.end('SIGKILL')));
  await expect.poll(() => healthOf(platform), { timeout: 20_000 }).toMatchObject({ status: 'pass' });
  return platform;
}

async function healthOf(platform: PlatformProcess) {
  const response = await fetch(`${platform.httpUrl}/health`);
  const { checks } = (await response.json()) as {
    checks: { name: string; status: string; message: string }[];
  };
  return checks.find(({ name }) => name === 'external_mqtt');
}

async function publisher(url: string): Promise<MqttClient> {
  const client = await connectAsync(url, { reconnectPeriod: 100, clientId: 'publisher', clean: false });
  onTestFinished(() => void client.end(true));
  client.on('error', () => {});
  return client;
}

async function metricsOf({ httpUrl }: PlatformProcess): Promise<(name: string) => number> {
  const text = await (await fetch(`${httpUrl}/metrics`)).text();
  return (name) => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
}

/** Values of `n` that are stored, in numerical order. */
async function stored({ httpUrl }: PlatformProcess): Promise<number[]> {
  return (await allReadings(httpUrl, 'sensor=s')).map(({ n }) => Number(n)).sort((a, b) => a - b);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
const withTime = (n: number): string => JSON.stringify({ n, time: 1_700_000_000_000 + n });
const withoutTime = (n: number): string => JSON.stringify({ n });

/** The address of a way to a broker whose answers take a while; `open` is called when the first is let through. */
async function slowWayTo(url: string, open: () => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const broker = connect(Number(new URL(url).port), '127.0.0.1');
    for (const socket of [client, broker]) sockets.add(socket.on('error', () => {}));
    client.pipe(broker);
    broker.once('readable', () =>
      setTimeout(() => {
        open();
        broker.pipe(client);
      }, 500),
    );
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.skipIf(!hasMosquitto)('readings of a Mosquitto', () => {
  it('that are published once the platform is ready are stored, also by a broker that answers slowly', async () => {
    const broker = await Mosquitto.start();
    const events: string[] = [];
    const url = await slowWayTo(broker.url, () => events.push('answered'));
    const env = { TIDEMARK_MQTT_URL: url };
    const platform = await startPlatform({ dataDir: await tempDir(), env });
    onTestFinished(async () => void (await platform.end('SIGKILL')));
    events.push('ready');
    expect(events).toEqual(['answered', 'ready']);
    const client = await publisher(broker.url);
    await client.publishAsync('sensors/s/n', '1', { qos: 1 });
    await expect.poll(() => stored(platform)).toEqual([1]);
  });

  it.each([
    ['5', '1'],
    ['5', '2'],
    ['3.1.1', '1'],
    ['3.1.1', '2'],
  ])('are stored, by MQTT %s at QoS %s', async (version, qos) => {
    const broker = await Mosquitto.start();
    const client = await publisher(broker.url);
    const retained = { qos: 1, retain: true } as const;
    await client.publishAsync('sensors/old/temperature', '1', retained);
    await client.publishAsync('sensors/old', '{"humidity": 2, "time": 1700000000}', retained);
    const platform = await start({
      TIDEMARK_MQTT_URL: broker.url,
      TIDEMARK_MQTT_VERSION: version,
      TIDEMARK_MQTT_QOS: qos,
    });
    for (const level of [0, 1, 2] as const)
      await client.publishAsync(`sensors/s/qos${level}`, '1', { qos: level });
    await client.publishAsync('lines/roof', 'readings,sensor=s line=1', { qos: 1 });
    await client.publishAsync('sensors/s/bad', 'NaN', { qos: 1 });
    await client.publishAsync('heartbeats/pump', '', { qos: 1 });
    await client.publishAsync('elsewhere', 'nothing of ours', { qos: 1 });
    await client.publishAsync('sensors/s/last', '1', { qos: 1 });
    await expect.poll(async () => (await allReadings(platform.httpUrl, 'sensor=s')).length).toBe(5);
    const readings = await allReadings(platform.httpUrl);
    const metrics = readings
      .flatMap((reading) => Object.keys(reading))
      .filter((key) => !['id', 'sensor', 'location', 'time'].includes(key));
    expect(metrics.sort()).toEqual(['humidity', 'last', 'line', 'qos0', 'qos1', 'qos2']);
    const quarantine = await (await fetch(`${platform.httpUrl}/api/v1/quarantine`)).json();
    expect(quarantine).toMatchObject({
      items: [{ reason: 'not_finite', source: 'mqtt', topic: 'sensors/s/bad' }],
    });
    const heartbeats = await (await fetch(`${platform.httpUrl}/api/v1/heartbeats`)).json();
    expect(heartbeats).toMatchObject({
      items: expect.arrayContaining([expect.objectContaining({ service: 'pump' })]),
    });
    const metric = await metricsOf(platform);
    expect(metric('tidemark_external_mqtt_connected')).toBe(1);
    expect(metric('tidemark_external_mqtt_in_flight')).toBe(0);
    expect(metric('tidemark_ingest_skipped_retained_readings_total')).toBe(1);
    expect(await platform.end('SIGTERM')).toBe(0);
  });

  it.each([
    ['with times, by MQTT 5', '5', '1', withTime],
    ['without times, by MQTT 5', '5', '1', withoutTime],
    ['without times, by MQTT 3.1.1', '3.1.1', '1', withoutTime],
    ['without times, at QoS 2', '5', '2', withoutTime],
  ])('%s are stored once each after kill -9 of the platform', async (_name, version, qos, payload) => {
    const count = 4000;
    const broker = await Mosquitto.start();
    const client = await publisher(broker.url);
    const dataDir = await tempDir();
    const env = { TIDEMARK_MQTT_URL: broker.url, TIDEMARK_MQTT_VERSION: version, TIDEMARK_MQTT_QOS: qos };
    const first = await start(env, dataDir);
    const level = qos === '2' ? 2 : 1;
    let sent = 0;
    const publishNext = async (): Promise<void> => {
      while (sent < count) await client.publishAsync('sensors/s', payload(++sent), { qos: level });
    };
    const published = Promise.all(Array.from({ length: 200 }, publishNext));
    while (sent < count / 2) await delay(1);
    await first.end('SIGKILL');
    await published;
    const second = await start(env, dataDir);
    await expect.poll(() => stored(second), { timeout: 30_000 }).toEqual(upTo(count));
    expect((await metricsOf(second))('tidemark_external_mqtt_lost_sessions_total')).toBe(0);
  });

  it('are all stored after kill -9 of the broker', async () => {
    const count = 2000;
    const broker = await Mosquitto.start(['allow_anonymous true', ...persistence]);
    const client = await publisher(broker.url);
    const platform = await start({ TIDEMARK_MQTT_URL: broker.url });
    // The broker acknowledges before it writes to its disk: what it acknowledged just before its end is sent again, as
    // a device would that is to lose nothing, and is the same reading.
    const send = (from: number, to: number) =>
      Promise.all(
        upTo(to - from).map((n) => client.publishAsync('sensors/s', withTime(from + n), { qos: 1 })),
      );
    await send(0, count / 4);
    const during = send(count / 4, count / 2);
    await expect.poll(async () => (await stored(platform)).length).toBeGreaterThan(count / 4);
    await broker.kill();
    await expect.poll(() => healthOf(platform)).toMatchObject({ status: 'fail' });
    await broker.run();
    await during;
    await expect.poll(() => healthOf(platform), { timeout: 20_000 }).toMatchObject({ status: 'pass' });
    await send(0, count / 2);
    await send(count / 2, count);
    await expect.poll(() => stored(platform), { timeout: 30_000 }).toEqual(upTo(count));
  });

  it('says why it is not let in, and takes credentials from the URL', async () => {
    const folder = await tempDir();
    const users = join(folder, 'users');
    execFileSync('mosquitto_passwd', ['-b', '-c', users, 'ingest', 'p@ss/word'], { stdio: 'ignore' });
    const broker = await Mosquitto.start(['allow_anonymous false', `password_file ${users}`]);
    const dataDir = await tempDir();
    const platform = await startPlatform({ dataDir, env: { TIDEMARK_MQTT_URL: broker.url } });
    onTestFinished(async () => void (await platform.end('SIGKILL')));
    await expect
      .poll(() => healthOf(platform))
      .toMatchObject({
        status: 'fail',
        message: expect.stringContaining('TIDEMARK_MQTT_URL needs a user name and password'),
      });
    await start({ TIDEMARK_MQTT_URL: broker.url.replace('//', '//ingest:p%40ss%2Fword@') });
  });
});

describe.skipIf(!hasMosquitto || !requireTool('openssl', findProgram('openssl')))(
  'a Mosquitto with TLS',
  () => {
    it('is taken from when its certificate is known, and not when it is not', async () => {
      const folder = await tempDir();
      const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
      const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
      const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
      execFileSync('openssl', [...request, ...names, '-keyout', key, '-out', cert, '-days', '2'], {
        stdio: 'ignore',
      });
      const tls = [`certfile ${cert}`, `keyfile ${key}`];
      const broker = await Mosquitto.start(['allow_anonymous true', ...tls]);
      const url = broker.url.replace('mqtt:', 'mqtts:');
      await start({ TIDEMARK_MQTT_URL: url, NODE_EXTRA_CA_CERTS: cert });
      const stranger = await startPlatform({ dataDir: await tempDir(), env: { TIDEMARK_MQTT_URL: url } });
      onTestFinished(async () => void (await stranger.end('SIGKILL')));
      await expect
        .poll(() => healthOf(stranger))
        .toMatchObject({ status: 'fail', message: expect.stringContaining('self-signed certificate') });
    });
  },
);

describe.skipIf(!hasMosquitto || !hasInfluxd)('two replicas that share a subscription', () => {
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
    const broker = await Mosquitto.start();
    const shared = {
      TIDEMARK_MQTT_URL: broker.url,
      TIDEMARK_MQTT_SHARED_GROUP: 'tidemark',
      ...(await storeOf('shared')),
    };
    const dirs = [await tempDir(), await tempDir()];
    const [killed, other] = await Promise.all(dirs.map((dataDir) => start(shared, dataDir)));
    const alone = await start({ TIDEMARK_MQTT_URL: broker.url, ...(await storeOf('alone')) });
    const client = await publisher(broker.url);
    const message = (n: number): string => JSON.stringify({ n: n * 0.5, time: 1_700_000_000_000 + n * 100 });
    let sent = 0;
    const publishNext = async (): Promise<void> => {
      while (sent < count) await client.publishAsync(`sensors/s${++sent % 7}`, message(sent), { qos: 1 });
    };
    const published = Promise.all(Array.from({ length: 100 }, publishNext));
    while (sent < count / 2) await delay(1);
    await killed!.end('SIGKILL');
    await published;
    const back = await start(shared, dirs[0]);
    const windows = async ({ httpUrl }: PlatformProcess) => {
      const query =
        'metric=n&from=1700000000&to=1700001000&every=10s&by=sensor&fn=count,sum,min,max,first,last';
      return ((await (await fetch(`${httpUrl}/api/v1/windows?${query}`)).json()) as { items: object[] })
        .items;
    };
    const totalOf = async (platform: PlatformProcess) =>
      (await windows(platform)).reduce((sum, item) => sum + (item as { count: number }).count, 0);
    await expect.poll(() => totalOf(alone), { timeout: 30_000 }).toBe(count);
    await expect.poll(() => totalOf(other!), { timeout: 30_000 }).toBe(count);
    expect(await windows(other!)).toEqual(await windows(alone));
    const [a, b] = [await metricsOf(other!), await metricsOf(back)];
    const taken = 'tidemark_external_mqtt_readings_messages_total';
    // Both had a share, and none had all.
    expect(a(taken)).toBeGreaterThan(0);
    expect(a(taken)).toBeLessThan(count);
    expect(b(taken)).toBeGreaterThan(0);
  });
});
