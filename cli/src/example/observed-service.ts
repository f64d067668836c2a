import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { serverMetrics } from '@tidemark/client/grpc';
import { createHostPolicy, createMetrics, messageOf, TidemarkError } from '@tidemark/core';

const host = '127.0.0.1';

interface ServiceParts {
  definition: ServiceClientConstructor;
  implementation: UntypedServiceImplementation;
  /** Of gRPC; 0 picks a free one. */
  port: number;
  metricsPort: number;
}

/** One gRPC service on loopback with metrics of its own, which it serves to Prometheus. */
export class ObservedService {
  /** What its clients count in, too. */
  readonly metrics = createMetrics();
  readonly #grpc = new Server({ interceptors: [serverMetrics(this.metrics)] });
  readonly #http: HttpServer;
  /** `host:port` of gRPC. */
  address = '';
  /** Where Prometheus scrapes: `host:port`. */
  metricsAddress = '';

  constructor() {
    const refusalOf = createHostPolicy({ host, http: { allowedHosts: [] } });
    this.#http = createServer(async (request, response) => {
      const refusal = refusalOf(request.headers.host, request.headers.origin);
      if (refusal !== undefined) response.writeHead(403).end(`${refusal}\n`);
      else if (request.url !== '/metrics') response.writeHead(404).end('there is /metrics\n');
      else
        response
          .writeHead(200, { 'content-type': this.metrics.contentType })
          .end(await this.metrics.metrics());
    });
  }

  /** Throws `address_in_use` where a port is taken. */
  async start({ definition, implementation, port, metricsPort }: ServiceParts): Promise<void> {
    this.#grpc.addService(definition.service, implementation);
    try {
      this.address = `${host}:${await this.#bind(port)}`;
      this.#http.listen(metricsPort, host);
      await once(this.#http, 'listening');
    } catch (cause) {
      throw new TidemarkError('address_in_use', `cannot listen: ${messageOf(cause)}`, { cause });
    }
    this.metricsAddress = `${host}:${(this.#http.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#grpc.forceShutdown();
    this.#http.closeAllConnections();
    this.#http.close();
  }

  #bind(port: number): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#grpc.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
  }
}
