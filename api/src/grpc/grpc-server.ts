import { readFileSync } from 'node:fs';
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js';
import { serverMetrics } from '@tidemark/client/grpc';
import { messageOf, type PartHealth, TidemarkError } from '@tidemark/core';
import { HealthImplementation } from 'grpc-health-check';
import type { ApiParts } from '../parts.ts';
import { Calls } from './calls.ts';
import { HeartbeatServiceService } from './generated/tidemark/v1/heartbeat_service.ts';
import { RegistryServiceService } from './generated/tidemark/v1/registry_service.ts';
import { heartbeatService } from './heartbeat-service.ts';
import { readingService, readingServiceDefinition } from './reading-service.ts';
import { createReflection } from './reflection.ts';
import { registryService } from './registry-service.ts';

// The library writes lines of its own to stderr about what `start` throws.
setLogVerbosity(logVerbosity.NONE);

// Calls that are being answered get this long; streams are told to end at once.
const stopGraceMs = 1500;

/**
 * The gRPC listener of one process. It has no allow-list of hosts as HTTP has: a page in a browser cannot speak gRPC to
 * it, since that takes HTTP/2 without TLS, or with a certificate that the browser trusts, and a content type that a
 * page may not send to another origin without asking first, which is answered by 415.
 */
export class GrpcServer {
  readonly #parts: ApiParts;
  readonly #stopping = new AbortController();
  #health: HealthImplementation | undefined;
  #server: Server | undefined;
  #port = 0;

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  /** The port it listens on; 0 before `start`. */
  get port(): number {
    return this.#port;
  }

  health(): PartHealth {
    const isUp = this.#server !== undefined;
    return { name: 'grpc', status: isUp ? 'pass' : 'fail', message: isUp ? `port ${this.#port}` : 'stopped' };
  }

  /** Listens; throws `address_in_use` when another process does already, `config_invalid` for what it cannot use. */
  async start(): Promise<void> {
    const parts = this.#parts;
    const { host, grpc } = parts.config;
    const server = new Server({
      interceptors: [serverMetrics(parts.metrics)],
      'grpc.max_receive_message_length': grpc.maxMessageBytes,
      'grpc.max_send_message_length': -1,
      // Counts that nobody can ask for: channelz is not served.
      'grpc.enable_channelz': 0,
    });
    const calls = new Calls({ ...parts, stopping: this.#stopping.signal });
    server.addService(readingServiceDefinition, readingService(parts, calls));
    server.addService(RegistryServiceService, registryService(parts, calls));
    server.addService(HeartbeatServiceService, heartbeatService(parts, calls));
    createReflection().addToServer(server);
    const services = [
      '',
      'tidemark.v1.ReadingService',
      'tidemark.v1.RegistryService',
      'tidemark.v1.HeartbeatService',
    ];
    this.#health = new HealthImplementation(
      Object.fromEntries(services.map((name) => [name, 'SERVING' as const])),
    );
    this.#health.addToServer(server);
    this.#port = await bind(server, host, grpc.port, credentialsOf(grpc));
    this.#server = server;
  }

  /** Ends streams, lets calls finish for a moment, then ends what is left. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    this.#health?.setStatus('', 'NOT_SERVING');
    this.#stopping.abort();
    const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    const deadline = setTimeout(() => server.forceShutdown(), stopGraceMs);
    await closed;
    clearTimeout(deadline);
  }
}

function credentialsOf({ tlsCert, tlsKey }: ApiParts['config']['grpc']): ServerCredentials {
  if (tlsCert === '' && tlsKey === '') return ServerCredentials.createInsecure();
  try {
    return ServerCredentials.createSsl(null, [
      { cert_chain: readFileSync(tlsCert), private_key: readFileSync(tlsKey) },
    ]);
  } catch (error) {
    const message = `TLS for gRPC takes the files TIDEMARK_GRPC_TLS_CERT and TIDEMARK_GRPC_TLS_KEY: ${messageOf(error)}`;
    throw new TidemarkError('config_invalid', message, { cause: error });
  }
}

async function bind(
  server: Server,
  host: string,
  port: number,
  credentials: ServerCredentials,
): Promise<number> {
  const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(authority, credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(listenError(error, host, port));
    });
  });
}

function listenError(error: Error, host: string, port: number): TidemarkError {
  if (error.message.includes('EADDRINUSE')) {
    const message = `gRPC port ${port} on ${host} is in use by another process; set TIDEMARK_GRPC_PORT to another one`;
    return new TidemarkError('address_in_use', message, { cause: error });
  }
  const message = `cannot listen for gRPC on ${host} port ${port}: ${error.message}`;
  return new TidemarkError('config_invalid', message, { cause: error });
}
