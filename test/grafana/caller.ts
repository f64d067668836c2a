import { once } from 'node:events';
import { createServer } from 'node:http';
import { credentials } from '@grpc/grpc-js';
import { ReadingServiceClient, ReadingServiceService, unaryCall } from '@tidemark/api/testing';
import { clientMetrics } from '@tidemark/client/grpc';
import { createMetrics } from '@tidemark/core';
import { onTestFinished } from 'vitest';

/** A service that calls the platform by gRPC, and that Prometheus can scrape; it ends with the test. */
export interface Caller {
  /** Where its metrics are. */
  host: string;
  /** A call that ends well, and one that fails; beside them a stream stays open. */
  call(): Promise<void>;
}

export async function startCaller(grpcPort: number): Promise<Caller> {
  const metrics = createMetrics();
  const interceptors = [clientMetrics(metrics)];
  const client = new ReadingServiceClient(`127.0.0.1:${grpcPort}`, credentials.createInsecure(), {
    interceptors,
  });
  const watch = client.watch({ filter: undefined, resumeAt: undefined });
  watch.on('data', () => {}).on('error', () => {});
  const server = createServer((_request, response) => {
    void metrics.metrics().then((text) => response.end(text));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    watch.cancel();
    client.close();
    server.closeAllConnections();
    server.close();
  });
  const list = (pageToken: string) =>
    unaryCall(client, ReadingServiceService.list, {
      filter: undefined,
      selection: undefined,
      pageSize: 10,
      pageToken,
    });
  return {
    host: `127.0.0.1:${(server.address() as { port: number }).port}`,
    call: async () => {
      await list('');
      await list('no such page').catch(() => {});
    },
  };
}
