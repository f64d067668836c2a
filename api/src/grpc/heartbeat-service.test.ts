import { credentials, status } from '@grpc/grpc-js';
import { expect, it, onTestFinished } from 'vitest';
import { MemoryHeartbeats } from '../testing/memory-heartbeats.ts';
import { startTestPlatform } from '../testing/test-platform.ts';
import { unaryCall } from '../testing/unary-call.ts';
import {
  HeartbeatServiceClient,
  HeartbeatServiceService,
  type WatchServicesResponse,
} from './generated/tidemark/v1/heartbeat_service.ts';
import { GrpcServer } from './grpc-server.ts';

it('takes heartbeats, tells of every change, and forgets', async () => {
  const heartbeats = new MemoryHeartbeats();
  const platform = await startTestPlatform({ heartbeats });
  const server = new GrpcServer(platform.parts);
  await server.start();
  const client = new HeartbeatServiceClient(`127.0.0.1:${server.port}`, credentials.createInsecure());
  onTestFinished(async () => {
    client.close();
    await server.stop();
    await platform.stop();
  });

  await unaryCall(client, HeartbeatServiceService.beat, { service: 'billing' });
  const stream = client.watch({ services: ['billing'] });
  const changes = stream[Symbol.asyncIterator]() as AsyncIterator<WatchServicesResponse>;
  const next = async () => (await changes.next()).value.status;
  expect(await next()).toMatchObject({ service: 'billing', isUp: true });
  heartbeats.set({ service: 'other', isUp: false });
  heartbeats.set({ service: 'billing', isUp: false, message: 'no heartbeat for 60 s' });
  expect(await next()).toMatchObject({ service: 'billing', isUp: false, message: 'no heartbeat for 60 s' });
  stream.cancel();

  const request = { service: 'billing' };
  await unaryCall(client, HeartbeatServiceService.forget, request);
  await expect(unaryCall(client, HeartbeatServiceService.forget, request)).rejects.toMatchObject({
    code: status.NOT_FOUND,
  });
});
