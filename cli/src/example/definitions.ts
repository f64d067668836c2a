import { fileURLToPath } from 'node:url';
import {
  type Client,
  type GrpcObject,
  loadPackageDefinition,
  type MethodDefinition,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export interface GreetRequest {
  name: string;
}

export interface GreetResponse {
  greeting: string;
}

export interface BeatRequest {
  service: string;
}

export interface NowResponse {
  /** RFC 3339, UTC. */
  time: string;
}

export interface ReverseRequest {
  name: string;
}

export interface ReverseResponse {
  reversed: string;
}

const file = fileURLToPath(new URL('observed_services.proto', import.meta.url));
const loaded = loadPackageDefinition(loadSync(file, { defaults: true }));

/** The three services of the example, as clients and as definitions for a server. */
export const EdgeService = serviceOf('EdgeService');
export const TimeService = serviceOf('TimeService');
export const NameService = serviceOf('NameService');

const deadlineMs = 5000;

/** Makes one call; rejects with its status. */
export function call<Request, Response>(client: Client, method: string, request: Request): Promise<Response> {
  const service = (client.constructor as ServiceClientConstructor).service;
  const { path, requestSerialize, responseDeserialize } = service[method] as MethodDefinition<
    Request,
    Response
  >;
  const deadline = Date.now() + deadlineMs;
  return new Promise((resolve, reject) =>
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      { deadline },
      (error, response) => (error ? reject(error) : resolve(response!)),
    ),
  );
}

function serviceOf(name: string): ServiceClientConstructor {
  const found = ['tidemark', 'example', 'v1', name].reduce<GrpcObject[string] | undefined>(
    (within, key) => (within as GrpcObject | undefined)?.[key],
    loaded,
  );
  return found as ServiceClientConstructor;
}
