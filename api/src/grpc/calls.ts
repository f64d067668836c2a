import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  type ServerErrorResponse,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { type Access, type Logger, messageOf, TidemarkError } from '@tidemark/core';
import { toServiceError } from './status.ts';

interface CallOptions {
  access: Access;
  logger: Logger;
  /** Aborted when the server stops. */
  stopping: AbortSignal;
}

/** Who calls, and how long there is somebody to answer. */
export interface CallContext {
  metadata: Metadata;
  /** Name of the API token, or `local`. */
  actor: string;
  /** Trailers of the answer. */
  trailers: Metadata | undefined;
}

/** A call that messages are written to. */
interface WritableCall<Response> {
  write(message: Response): boolean;
  once(event: 'drain' | 'cancelled', listener: () => void): unknown;
  off(event: 'drain' | 'cancelled', listener: () => void): unknown;
}

/** Makes handlers of functions: asks for the token, and turns what they throw into a status. */
export class Calls {
  readonly #options: CallOptions;

  constructor(options: CallOptions) {
    this.#options = options;
  }

  /** A call with one answer. */
  unary<Request, Response>(
    handle: (request: Request, context: CallContext) => Promise<Response> | Response,
  ): handleUnaryCall<Request, Response> {
    return async (call, callback) => {
      try {
        const context = this.admit(call.metadata);
        const response = await handle(call.request, context);
        callback(null, response, context.trailers);
      } catch (error) {
        callback(this.toError(error, call.getPath()));
      }
    };
  }

  /** A call that is answered by a stream; the next message is asked for when the client has room for it. */
  serverStream<Request, Response>(
    handle: (request: Request, signal: AbortSignal) => AsyncIterable<Response>,
  ): handleServerStreamingCall<Request, Response> {
    return async (call) => {
      const gone = new AbortController();
      call.once('cancelled', () => gone.abort());
      try {
        this.admit(call.metadata);
        const signal = AbortSignal.any([gone.signal, this.#options.stopping]);
        for await (const message of handle(call.request, signal)) {
          if (signal.aborted) break;
          await send(call, message);
        }
        if (this.#options.stopping.aborted) throw new TidemarkError('unavailable', 'the platform stops');
        call.end();
      } catch (error) {
        call.emit('error', this.toError(error, call.getPath()));
      }
    };
  }

  /** Lets a call in; throws `unauthorized` where credentials are asked for and it shows none. */
  admit(metadata: Metadata): CallContext {
    const { access } = this.#options;
    const token = tokenOf(metadata);
    if (access.isRequired && (token === undefined || !access.checkToken(token)))
      throw new TidemarkError('unauthorized', 'send an API token: metadata "authorization: Bearer <token>"');
    const actor = (token === undefined ? undefined : access.tokenName(token)) ?? 'local';
    return { metadata, actor, trailers: undefined };
  }

  /** Whatever was thrown as a status; what was not thrown on purpose is logged. */
  toError(error: unknown, path: string): ServiceError | ServerErrorResponse {
    if (error instanceof Error && 'code' in error && typeof error.code === 'number')
      return error as ServiceError;
    if (error instanceof TidemarkError) return toServiceError(error);
    this.#options.logger.error({ err: error, path }, `a gRPC call failed: ${messageOf(error)}`);
    return { name: 'Error', message: 'something went wrong here; the log says what', code: status.INTERNAL };
  }
}

/** Writes a message; resolves when there is room for the next, or nobody to read it any more. */
export function send<Response>(call: WritableCall<Response>, message: Response): Promise<void> | undefined {
  if (call.write(message)) return undefined;
  return new Promise((resolve) => {
    const go = () => {
      call.off('drain', go);
      call.off('cancelled', go);
      resolve();
    };
    call.once('drain', go);
    call.once('cancelled', go);
  });
}

function tokenOf(metadata: Metadata): string | undefined {
  const [shown] = metadata.get('authorization');
  return /^(?:Bearer|Token) +(\S+)$/i.exec(String(shown ?? ''))?.[1];
}
