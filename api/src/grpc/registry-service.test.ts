import { credentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';
import { unaryCall } from '../testing/unary-call.ts';
import {
  type Location,
  RegistryServiceClient,
  RegistryServiceService,
  type Sensor,
} from './generated/tidemark/v1/registry_service.ts';
import { GrpcServer } from './grpc-server.ts';

let platform: Awaited<ReturnType<typeof startTestPlatform>>;
let server: GrpcServer;
let client: RegistryServiceClient;

beforeAll(async () => {
  platform = await startTestPlatform();
  server = new GrpcServer(platform.parts);
  await server.start();
  client = new RegistryServiceClient(`127.0.0.1:${server.port}`, credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  await server.stop();
  await platform.stop();
});

function sensorOf(id: string, more: Partial<Sensor> = {}): Sensor {
  return {
    id,
    metrics: new Map(),
    labels: new Map(),
    state: '',
    timeFrom: '',
    isSelfRegistered: false,
    formerIds: [],
    createdNs: 0n,
    updatedNs: 0n,
    version: 0n,
    ...more,
  };
}

function locationOf(id: string, more: Partial<Location> = {}): Location {
  return { id, name: '', isSelfRegistered: false, createdNs: 0n, updatedNs: 0n, version: 0n, ...more };
}

it('keeps what is declared of a sensor, changes what is named, and forgets it', async () => {
  await unaryCall(client, RegistryServiceService.createLocation, {
    location: locationOf('hall', { latitude: 51.5, longitude: -0.1 }),
  });
  const given = sensorOf('s1', {
    kind: 'thermometer',
    location: 'hall',
    expectedInterval: '30s',
    metrics: new Map([['temperature', { unit: '°C', min: -20, max: undefined }]]),
    labels: new Map([['__proto__', 'kept']]),
  });
  const { sensor } = await unaryCall(client, RegistryServiceService.createSensor, { sensor: given });
  expect(sensor).toMatchObject({ id: 's1', location: 'hall', expectedInterval: '30s', state: 'active' });
  expect([...sensor!.labels]).toEqual([['__proto__', 'kept']]);
  expect(sensor!.metrics.get('temperature')).toEqual({ unit: '°C', min: -20, max: undefined });

  const change = {
    sensor: sensorOf('s1', { owner: 'ops' }),
    fields: ['owner', 'kind'],
    ifVersion: sensor!.version,
  };
  const changed = (await unaryCall(client, RegistryServiceService.updateSensor, change)).sensor!;
  expect(changed).toMatchObject({ owner: 'ops', kind: undefined, location: 'hall', version: 2n });
  await expect(unaryCall(client, RegistryServiceService.updateSensor, change)).rejects.toMatchObject({
    code: status.ABORTED,
  });

  const listed = await unaryCall(client, RegistryServiceService.listSensors, {
    location: 'hall',
    pageSize: 0,
    pageToken: '',
  });
  expect(listed).toMatchObject({ count: 1, isEmpty: false, nextPageToken: '' });
  await unaryCall(client, RegistryServiceService.deleteSensor, { id: 's1', ifVersion: 0n, note: 'gone' });
  await expect(unaryCall(client, RegistryServiceService.getSensor, { id: 's1' })).rejects.toMatchObject({
    code: status.NOT_FOUND,
  });
  expect(platform.parts.audit.list({ limit: 1 })[0]).toMatchObject({ action: 'sensor.delete', note: 'gone' });
});

it('lists on pages, in order', async () => {
  for (const id of ['p3', 'p1', 'p2'])
    await unaryCall(client, RegistryServiceService.createLocation, {
      location: locationOf(id, { name: 'page', parent: undefined }),
    });
  const request = { parent: '', pageSize: 2, pageToken: '' };
  const first = await unaryCall(client, RegistryServiceService.listLocations, request);
  const rest = await unaryCall(client, RegistryServiceService.listLocations, {
    ...request,
    pageToken: first.nextPageToken,
  });
  expect([...first.locations, ...rest.locations].map(({ id }) => id)).toEqual(['hall', 'p1', 'p2', 'p3']);
});

it('has canonical codes for what cannot be done', async () => {
  await unaryCall(client, RegistryServiceService.createSensor, { sensor: sensorOf('taken') });
  await unaryCall(client, RegistryServiceService.createLocation, {
    location: locationOf('inside', { parent: 'hall' }),
  });
  const failures: [Promise<unknown>, status, string?][] = [
    [
      unaryCall(client, RegistryServiceService.createSensor, { sensor: sensorOf('taken') }),
      status.ALREADY_EXISTS,
    ],
    [
      unaryCall(client, RegistryServiceService.createSensor, { sensor: undefined }),
      status.INVALID_ARGUMENT,
      'sensor',
    ],
    [
      unaryCall(client, RegistryServiceService.createSensor, { sensor: sensorOf('x'.repeat(10_240)) }),
      status.INVALID_ARGUMENT,
      'id',
    ],
    [
      unaryCall(client, RegistryServiceService.createSensor, {
        sensor: sensorOf('s2', { location: 'nowhere' }),
      }),
      status.INVALID_ARGUMENT,
      'location',
    ],
    [
      unaryCall(client, RegistryServiceService.updateSensor, {
        sensor: sensorOf('taken'),
        fields: ['version'],
        ifVersion: 0n,
      }),
      status.INVALID_ARGUMENT,
      'fields',
    ],
    [
      unaryCall(client, RegistryServiceService.deleteLocation, { id: 'hall', ifVersion: 0n, note: '' }),
      status.FAILED_PRECONDITION,
    ],
    [unaryCall(client, RegistryServiceService.getLocation, { id: 'none' }), status.NOT_FOUND],
    [
      unaryCall(client, RegistryServiceService.listSensors, { location: '', pageSize: 1001, pageToken: '' }),
      status.INVALID_ARGUMENT,
      'page_size',
    ],
  ];
  for (const [failing, code, field = ''] of failures) {
    const error = (await failing.catch((thrown) => thrown)) as ServiceError;
    expect(error.code).toBe(code);
    expect(String(error.metadata.get('grpc-status-details-bin')[0])).toContain(field);
  }
});
