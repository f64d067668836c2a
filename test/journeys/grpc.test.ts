import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { credentials, type ServiceError, status } from '@grpc/grpc-js';
import {
  ReadingServiceClient,
  ReadingServiceService,
  RegistryServiceClient,
  RegistryServiceService,
  unaryCall,
} from '@tidemark/api/testing';
import { requireTool } from '@tidemark/store/testing';
import { expect, it, onTestFinished, vi } from 'vitest';
import { findProgram } from '../support/find-program.ts';
import { startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

async function start(env: Record<string, string> = {}) {
  const platform = await startPlatform({ dataDir: await tempDir(), env });
  const address = `127.0.0.1:${platform.grpcPort}`;
  const client = new ReadingServiceClient(address, credentials.createInsecure());
  onTestFinished(async () => {
    client.close();
    await platform.end('SIGTERM');
  });
  const record = (sensor: string, more: { location?: string; timeNs?: bigint; text?: string } = {}) =>
    unaryCall(client, ReadingServiceService.record, {
      reading: readingOf(sensor, 1, more),
      idempotencyKey: '',
    });
  const list = () =>
    unaryCall(client, ReadingServiceService.list, {
      filter: undefined,
      selection: undefined,
      pageSize: 10_000,
      pageToken: '',
    });
  return { platform, address, client, record, list };
}

function readingOf(
  sensor: string,
  value: number,
  { location, timeNs, text }: { location?: string; timeNs?: bigint; text?: string } = {},
) {
  const texts = new Map(text === undefined ? [] : [['note', text]]);
  return { id: '', sensor, location, timeNs, values: new Map([['n', value]]), texts };
}

function codeOf(call: Promise<unknown>): Promise<status> {
  return call.then(
    () => status.OK,
    (error: ServiceError) => error.code,
  );
}

it('refuses what is bad with canonical codes, stores nothing of it, and goes on', async () => {
  const { address, record, list, platform } = await start({ TIDEMARK_REGISTRY_MODE: 'strict' });
  const registry = new RegistryServiceClient(address, credentials.createInsecure());
  onTestFinished(() => registry.close());
  const place = { name: '', isSelfRegistered: false, createdNs: 0n, updatedNs: 0n, version: 0n };
  for (const id of ['hall', 'yard'])
    await unaryCall(registry, RegistryServiceService.createLocation, { location: { id, ...place } });
  const { name: _name, ...times } = place;
  const sensor = {
    ...times,
    id: 'known',
    location: 'hall',
    metrics: new Map(),
    labels: new Map(),
    state: '',
    timeFrom: '',
    formerIds: [],
  };
  await unaryCall(registry, RegistryServiceService.createSensor, { sensor });

  expect(await codeOf(record('unknown'))).toBe(status.NOT_FOUND);
  expect(await codeOf(record('known', { location: 'yard' }))).toBe(status.FAILED_PRECONDITION);
  expect(await codeOf(record('known', { location: 'nowhere' }))).toBe(status.FAILED_PRECONDITION);
  expect(await codeOf(record('x'.repeat(10_240)))).toBe(status.INVALID_ARGUMENT);
  expect(await codeOf(record('known', { timeNs: 1n << 62n }))).toBe(status.OUT_OF_RANGE);
  expect(await codeOf(record('known', { text: 'x'.repeat(64 * 1024 * 1024) }))).toBe(
    status.RESOURCE_EXHAUSTED,
  );
  expect((await list()).isEmpty).toBe(true);
  expect(await codeOf(record('known'))).toBe(status.OK);
  expect((await list()).count).toBe(1);
  expect((await fetch(`${platform.httpUrl}/health`)).status).toBe(200);
});

it('answers a wrong content type with 415, and rubbish with a status', async () => {
  const { address, list } = await start();
  const session = connect(`http://${address}`);
  onTestFinished(() => session.destroy());
  const post = (contentType: string, body: Buffer) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const path = '/tidemark.v1.ReadingService/Record';
      const request = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': contentType,
        te: 'trailers',
      });
      let headers = {};
      request.on('response', (given) => Object.assign(headers, given));
      request.on('trailers', (given) => {
        headers = { ...headers, ...given };
      });
      request.on('close', () => resolve(headers));
      request.on('error', reject);
      request.resume();
      request.end(body);
    });
  expect(await post('application/json', Buffer.from('{}'))).toMatchObject({ ':status': 415 });
  const rubbish = Buffer.concat([Buffer.from([0, 0, 0, 0, 4]), Buffer.from([0xff, 0xff, 0xff, 0xff])]);
  expect(await post('application/grpc', rubbish)).toMatchObject({ 'grpc-status': String(status.INTERNAL) });
  expect((await list()).isEmpty).toBe(true);
});

it('has stored what it answered of a stream that is cut, and nothing that it did not receive', async () => {
  const { client, list } = await start();
  const stream = client.recordStream();
  stream.on('error', () => {});
  const ids: string[] = [];
  const cut = new Promise<void>((resolve) => {
    stream.on('data', (answer: { ids: string[]; sequence: bigint }) => {
      ids.push(...answer.ids);
      if (answer.sequence === 50n) {
        stream.cancel();
        resolve();
      }
    });
  });
  const sent: string[] = [];
  for (let n = 0; n < 200 && !stream.destroyed; n++) {
    const readings = [0, 1].map((m) =>
      readingOf('cut', n, { timeNs: 1_700_000_000_000_000_000n + BigInt(2 * n + m) }),
    );
    sent.push(...readings.map(({ sensor, timeNs }) => `${sensor}@${timeNs}`));
    stream.write({ readings });
  }
  await cut;
  const { readings } = await list();
  const stored = readings.map(({ id }) => id);
  expect(stored).toEqual(expect.arrayContaining(ids));
  expect(ids.length).toBeGreaterThanOrEqual(100);
  // Each request is stored as a whole or not at all, in the order that it was sent.
  expect(stored).toEqual(sent.slice(0, stored.length));
  expect(stored.length % 2).toBe(0);
});

it('ends watches and refuses calls when it stops, within 5 s', async () => {
  const { client, platform, record } = await start();
  await record('before');
  const ended = new Promise<ServiceError>((resolve) =>
    client.watch({ filter: undefined, resumeAt: undefined }).on('error', resolve).resume(),
  );
  await vi.waitFor(async () =>
    expect(await metricsOf(platform.httpUrl)).toMatch(/grpc_method="Watch".* 1\n/),
  );
  expect(await platform.end('SIGTERM')).toBe(0);
  expect((await ended).code).toBe(status.UNAVAILABLE);
});

it('counts every call for Prometheus', async () => {
  const { record, platform, client } = await start();
  for (let n = 0; n < 5; n++) await record('counted');
  await record('a/b').catch(() => {});
  const stream = client.recordStream();
  stream.write({ readings: [readingOf('counted', 1)] });
  stream.end();
  for await (const _answer of stream);
  const metrics = await metricsOf(platform.httpUrl);
  const labels = 'grpc_service="tidemark.v1.ReadingService",grpc_method="Record",grpc_type="unary"';
  expect(metrics).toContain(`grpc_server_started_total{${labels}} 6\n`);
  expect(metrics).toContain(`grpc_server_handled_total{${labels},grpc_code="OK"} 5\n`);
  expect(metrics).toContain(`grpc_server_handled_total{${labels},grpc_code="InvalidArgument"} 1\n`);
  expect(metrics).toContain(`grpc_server_msg_received_total{${labels}} 6\n`);
  expect(metrics).toContain(`grpc_server_msg_sent_total{${labels}} 5\n`);
  expect(metrics).toContain(`grpc_server_handling_seconds_count{${labels}} 6\n`);
  expect(metrics).toMatch(/grpc_server_handled_total\{.*grpc_type="bidi_stream",grpc_code="OK"\} 1\n/);
});

it.skipIf(!requireTool('openssl', findProgram('openssl')))(
  'speaks TLS where a certificate is configured',
  async () => {
    const folder = await tempDir();
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    execFileSync(
      'openssl',
      [
        ...[
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:prime256v1',
          '-nodes',
          '-days',
          '1',
        ],
        ...[
          '-subj',
          '/CN=localhost',
          '-addext',
          'subjectAltName=DNS:localhost',
          '-keyout',
          key,
          '-out',
          cert,
        ],
      ],
      { stdio: 'ignore' },
    );
    const { platform, record } = await start({ TIDEMARK_GRPC_TLS_CERT: cert, TIDEMARK_GRPC_TLS_KEY: key });
    const client = new ReadingServiceClient(
      `localhost:${platform.grpcPort}`,
      credentials.createSsl(readFileSync(cert)),
    );
    onTestFinished(() => client.close());
    const request = { reading: readingOf('secret', 1), idempotencyKey: '' };
    expect((await unaryCall(client, ReadingServiceService.record, request)).id).toMatch(/^secret@/);
    expect(await codeOf(record('plain'))).toBe(status.UNAVAILABLE);
  },
);

async function metricsOf(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}
