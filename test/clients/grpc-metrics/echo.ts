import {
  Client,
  credentials,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { clientMetrics, serverMetrics } from '@tidemark/client/grpc';
import { Registry } from 'prom-client';
import { onTestFinished } from 'vitest';

/** What service.go and service.py do, by our own interceptors; it ends with the test. */
export async function startEcho(): Promise<Echo> {
  const registry = new Registry();
  const server = new Server({ interceptors: [serverMetrics(registry)] });
  server.addService(definitions, { one, many, all, each });
  onTestFinished(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return {
    address: `127.0.0.1:${port}`,
    metrics: () => registry.metrics(),
    call: (address) => callAll(address, registry),
  };
}

export interface Echo {
  /** `host:port` of gRPC. */
  address: string;
  /** What Prometheus would scrape. */
  metrics(): Promise<string>;
  /** Makes every call once, and answers how each ended. */
  call(address: string): Promise<status[]>;
}

const bytes = (value: Buffer) => value;
const text = (value: string) => Buffer.from(value);
const define = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.v1.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});
const definitions = {
  one: define('One', false, false),
  many: define('Many', false, true),
  all: define('All', true, false),
  each: define('Each', true, true),
};

const one: handleUnaryCall<Buffer, Buffer> = ({ request }, callback) =>
  String(request) === 'fail' ? callback({ code: status.NOT_FOUND }) : callback(null, request);

/** As many answers as the message says, or one and then it waits for its caller to go. */
const many: handleServerStreamingCall<Buffer, Buffer> = (call) => {
  const message = String(call.request);
  if (message === 'wait') return void call.write(call.request);
  if (!/^\d+$/.test(message)) return void call.emit('error', { code: status.INVALID_ARGUMENT });
  for (let n = 0; n < Number(message); n++) call.write(text(`${n}`));
  call.end();
};

const all: handleClientStreamingCall<Buffer, Buffer> = (call, callback) => {
  let count = 0;
  call.on('data', () => {
    count += 1;
  });
  call.on('end', () =>
    count === 0 ? callback({ code: status.FAILED_PRECONDITION }) : callback(null, text(`${count}`)),
  );
};

const each: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
  call.on('data', (message: Buffer) => {
    if (String(message) === 'fail') call.emit('error', { code: status.ABORTED });
    else call.write(message);
  });
  call.on('end', () => call.end());
};

async function callAll(address: string, registry: Registry): Promise<status[]> {
  const client = new Client(address, credentials.createInsecure(), {
    interceptors: [clientMetrics(registry)],
  });
  const unary = (message: string) =>
    settled((done) => client.makeUnaryRequest(definitions.one.path, bytes, bytes, text(message), done));
  const read = (message: string) => {
    const stream = client.makeServerStreamRequest(definitions.many.path, bytes, bytes, text(message));
    stream.on('data', (answer: Buffer) => {
      if (String(answer) === 'wait') stream.cancel();
    });
    return ended(stream);
  };
  const tellAll = (messages: readonly string[]) =>
    settled((done) => {
      const stream = client.makeClientStreamRequest(definitions.all.path, bytes, bytes, done);
      for (const message of messages) stream.write(text(message));
      stream.end();
    });
  const tellEach = (messages: readonly string[]) => {
    const stream = client.makeBidiStreamRequest(definitions.each.path, bytes, bytes);
    for (const message of messages) stream.write(text(message));
    stream.end();
    return ended(stream);
  };
  try {
    return [
      await unary('hello'),
      await unary('hello'),
      await unary('fail'),
      await read('3'),
      await read('x'),
      await tellAll(['a', 'b']),
      await tellAll([]),
      await tellEach(['a', 'b', 'c']),
      await tellEach(['fail']),
      await read('wait'),
    ];
  } finally {
    client.close();
  }
}

function settled(run: (done: (error: ServiceError | null) => void) => void): Promise<status> {
  return new Promise((resolve) => run((error) => resolve(error?.code ?? status.OK)));
}

/** Reads a stream to its end. */
function ended(stream: NodeJS.EventEmitter & { resume(): unknown }): Promise<status> {
  return new Promise((resolve) => {
    stream.on('error', () => {});
    stream.on('status', ({ code }) => resolve(code));
    stream.resume();
  });
}
