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
import { Registry } from 'prom-client';
import { expect, it, onTestFinished } from 'vitest';
import { clientMetrics } from './client-metrics.ts';
import { serverMetrics } from './server-metrics.ts';

const bytes = (value: Buffer) => value;
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.v1.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});
const Echo = {
  one: method('One', false, false),
  many: method('Many', false, true),
  all: method('All', true, false),
  each: method('Each', true, true),
};
const text = (value: string) => Buffer.from(value);

/** An echo whose message `fail` is answered by NOT_FOUND, and `wait` never. */
const one: handleUnaryCall<Buffer, Buffer> = ({ request }, callback) => {
  const said = String(request);
  if (said === 'fail') callback({ code: status.NOT_FOUND, details: 'asked for' });
  else if (said !== 'wait') callback(null, request);
};
/** As many answers as the message says. */
const many: handleServerStreamingCall<Buffer, Buffer> = (call) => {
  const count = Number(String(call.request));
  if (Number.isNaN(count))
    return void call.emit('error', { code: status.INVALID_ARGUMENT, details: 'no number' });
  for (let n = 0; n < count; n++) call.write(text(`${n}`));
  if (count > 0) call.end();
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
    if (String(message) === 'fail') call.emit('error', { code: status.ABORTED, details: 'asked for' });
    else call.write(message);
  });
  call.on('end', () => call.end());
};

async function start() {
  const registry = new Registry();
  const server = new Server({ interceptors: [serverMetrics(registry)] });
  server.addService(Echo, { one, many, all, each });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    interceptors: [clientMetrics(registry)],
  });
  onTestFinished(() => {
    client.close();
    server.forceShutdown();
  });
  return { registry, client, calls: callsOf(client) };
}

function callsOf(client: Client) {
  const settled = (run: (done: (error: ServiceError | null) => void) => void) =>
    new Promise<status>((resolve) => run((error) => resolve(error?.code ?? status.OK)));
  /** Ends with the status of a stream that is read. */
  const read = (stream: NodeJS.EventEmitter & { resume(): unknown }) =>
    new Promise<status>((resolve) => {
      stream.on('error', () => {});
      stream.on('status', ({ code }) => resolve(code));
      stream.resume();
    });
  return {
    one: (message: string, deadline?: number) =>
      settled((done) =>
        client.makeUnaryRequest(
          Echo.one.path,
          bytes,
          bytes,
          text(message),
          deadline ? { deadline } : {},
          done,
        ),
      ),
    many: (message: string) =>
      read(client.makeServerStreamRequest(Echo.many.path, bytes, bytes, text(message))),
    all: (messages: readonly string[]) =>
      settled((done) => {
        const stream = client.makeClientStreamRequest(Echo.all.path, bytes, bytes, done);
        for (const message of messages) stream.write(text(message));
        stream.end();
      }),
    each: (messages: readonly string[]) => {
      const stream = client.makeBidiStreamRequest(Echo.each.path, bytes, bytes);
      for (const message of messages) stream.write(text(message));
      stream.end();
      return read(stream);
    },
  };
}

/** The value of a metric by the labels that are named, both sides under each other. */
async function countsOf(
  registry: Registry,
  name: string,
): Promise<Record<string, [client: number, server: number]>> {
  const counts: Record<string, [number, number]> = {};
  for (const [index, side] of (['client', 'server'] as const).entries()) {
    const metric = await registry.getSingleMetric(`grpc_${side}_${name}`)!.get();
    for (const { labels, value } of metric.values) {
      if (value === 0) continue;
      const { grpc_method, grpc_type, grpc_code } = labels;
      const key = [grpc_method, grpc_type, grpc_code].filter((part) => part !== undefined).join(' ');
      counts[key] ??= [0, 0];
      counts[key][index] = value;
    }
  }
  return counts;
}

it('counts every kind of call, and how it ended, on both sides', async () => {
  const { registry, calls } = await start();
  expect(await calls.one('hello')).toBe(status.OK);
  expect(await calls.one('hello')).toBe(status.OK);
  expect(await calls.one('fail')).toBe(status.NOT_FOUND);
  expect(await calls.many('3')).toBe(status.OK);
  expect(await calls.many('x')).toBe(status.INVALID_ARGUMENT);
  expect(await calls.all(['a', 'b'])).toBe(status.OK);
  expect(await calls.all([])).toBe(status.FAILED_PRECONDITION);
  expect(await calls.each(['a', 'b', 'c'])).toBe(status.OK);
  expect(await calls.each(['fail'])).toBe(status.ABORTED);

  expect(await countsOf(registry, 'started_total')).toEqual({
    'One unary': [3, 3],
    'Many server_stream': [2, 2],
    'All client_stream': [2, 2],
    'Each bidi_stream': [2, 2],
  });
  expect(await countsOf(registry, 'handled_total')).toEqual({
    'One unary OK': [2, 2],
    'One unary NotFound': [1, 1],
    'Many server_stream OK': [1, 1],
    'Many server_stream InvalidArgument': [1, 1],
    'All client_stream OK': [1, 1],
    'All client_stream FailedPrecondition': [1, 1],
    'Each bidi_stream OK': [1, 1],
    'Each bidi_stream Aborted': [1, 1],
  });
  // What one side sends the other receives.
  expect(await countsOf(registry, 'msg_sent_total')).toEqual({
    'One unary': [3, 2],
    'Many server_stream': [2, 3],
    'All client_stream': [2, 1],
    'Each bidi_stream': [4, 3],
  });
  expect(await countsOf(registry, 'msg_received_total')).toEqual({
    'One unary': [2, 3],
    'Many server_stream': [3, 2],
    'All client_stream': [1, 2],
    'Each bidi_stream': [3, 4],
  });
});

it('has started as many as were handled and are in flight', async () => {
  const { registry, client, calls } = await start();
  const watched = client.makeServerStreamRequest(Echo.many.path, bytes, bytes, text('0'));
  watched.on('error', () => {});
  await calls.one('hello');
  const inFlight = async () => {
    const sum = async (name: string) => {
      const counts = Object.values(await countsOf(registry, name));
      return [0, 1].map((side) => counts.reduce((total, count) => total + count[side]!, 0));
    };
    const [started, handled] = [await sum('started_total'), await sum('handled_total')];
    return started.map((count, side) => count - handled[side]!);
  };
  expect(await inFlight()).toEqual([1, 1]);
  const ended = new Promise((resolve) => watched.on('status', resolve));
  watched.cancel();
  await ended;
  // The server hears of it when the reset has come.
  while ((await inFlight())[1] !== 0) await new Promise(setImmediate);
  expect(await inFlight()).toEqual([0, 0]);
  expect(await countsOf(registry, 'handled_total')).toMatchObject({ 'Many server_stream Canceled': [1, 1] });
});

it('tells a deadline that has passed, and an address where nobody is', async () => {
  const { registry, calls } = await start();
  expect(await calls.one('wait', Date.now() + 100)).toBe(status.DEADLINE_EXCEEDED);
  while ((await countsOf(registry, 'handled_total'))['One unary DeadlineExceeded']?.[1] !== 1)
    await new Promise(setImmediate);
  expect(await countsOf(registry, 'handled_total')).toEqual({ 'One unary DeadlineExceeded': [1, 1] });

  const nobody = new Registry();
  const client = new Client('127.0.0.1:9', credentials.createInsecure(), {
    interceptors: [clientMetrics(nobody)],
  });
  onTestFinished(() => client.close());
  expect(await callsOf(client).one('hello')).toBe(status.UNAVAILABLE);
  const metric = await nobody.getSingleMetric('grpc_client_handled_total')!.get();
  expect(metric.values).toMatchObject([{ value: 1, labels: { grpc_code: 'Unavailable' } }]);
});
