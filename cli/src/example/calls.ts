import {
  type Client,
  credentials,
  type handleUnaryCall,
  Metadata,
  type ServiceClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { HeartbeatServiceClient } from '@tidemark/api';
import { clientMetrics } from '@tidemark/client/grpc';
import type { Registry } from '@tidemark/core';
import {
  type BeatRequest,
  call,
  type GreetRequest,
  type GreetResponse,
  NameService,
  type NowResponse,
  type ReverseRequest,
  type ReverseResponse,
  TimeService,
} from './definitions.ts';

/** A client whose calls are counted in the registry: the one line that a service needs. */
export function clientOf(Service: ServiceClientConstructor, address: string, metrics: Registry): Client {
  return new Service(address, credentials.createInsecure(), { interceptors: [clientMetrics(metrics)] });
}

/** Answers a call by a function; what it throws with a code is the status. */
function answer<Request, Response>(
  work: (request: Request) => Promise<Response> | Response,
): handleUnaryCall<Request, Response> {
  return async ({ request }, callback) => {
    try {
      callback(null, await work(request));
    } catch (error) {
      const { code = status.UNKNOWN, details } = error as ServiceError;
      callback({ code, details });
    }
  };
}

/** TimeService: says what time it is. */
export const timeImplementation = {
  now: answer((): NowResponse => ({ time: new Date().toISOString() })),
};

/** NameService: turns names round. */
export const nameImplementation = {
  reverse: answer(({ name }: ReverseRequest): ReverseResponse => {
    if (name === '')
      throw Object.assign(new Error('name'), { code: status.INVALID_ARGUMENT, details: 'name is empty' });
    return { reversed: [...name].reverse().join('') };
  }),
};

interface EdgeParts {
  metrics: Registry;
  timeAddress: string;
  nameAddress: string;
  platformAddress: string;
  /** API token of the platform, where it asks for one. */
  token: string | undefined;
}

/** EdgeService: asks the two others, and hands heartbeats on to the platform. */
export function edgeImplementation({ metrics, timeAddress, nameAddress, platformAddress, token }: EdgeParts) {
  const time = clientOf(TimeService, timeAddress, metrics);
  const names = clientOf(NameService, nameAddress, metrics);
  const platform = new HeartbeatServiceClient(platformAddress, credentials.createInsecure(), {
    interceptors: [clientMetrics(metrics)],
  });
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  const handOn = (service: string) =>
    new Promise<void>((resolve, reject) =>
      platform.beat({ service, latencyMs: undefined, timeoutMs: undefined }, metadata, (error) =>
        error ? reject(error) : resolve(),
      ),
    );
  return {
    greet: answer(async ({ name }: GreetRequest): Promise<GreetResponse> => {
      const { reversed } = await call<ReverseRequest, ReverseResponse>(names, 'Reverse', { name });
      const { time: now } = await call<object, NowResponse>(time, 'Now', {});
      return { greeting: `Hello ${reversed}, it is ${now}` };
    }),
    beat: answer(async ({ service }: BeatRequest) => {
      await handOn(service);
      return {};
    }),
  };
}
