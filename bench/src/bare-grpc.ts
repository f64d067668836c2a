// @grpc/grpc-js with no work behind it, run as a process of its own: what the library alone takes for a unary write.
// With a folder, a write to the disk before each answer: the most that any service on it can reach that keeps its word.
import { fdatasync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Server, ServerCredentials } from '@grpc/grpc-js';

const sync = promisify(fdatasync);
const [folder] = process.argv.slice(2);
const file = folder === undefined ? undefined : openSync(join(folder, 'bare-grpc'), 'a');
const entry = Buffer.alloc(100, 1);
const answer = Buffer.alloc(0);

const asBytes = (bytes: Buffer): Buffer => bytes;
const record = {
  path: '/tidemark.v1.ReadingService/Record',
  requestStream: false,
  responseStream: false,
  requestSerialize: asBytes,
  requestDeserialize: asBytes,
  responseSerialize: asBytes,
  responseDeserialize: asBytes,
};

const server = new Server({ 'grpc.enable_channelz': 0 });
server.addService(
  { record },
  {
    record: async (_call: unknown, callback: (error: null, value: Buffer) => void) => {
      if (file !== undefined) {
        writeSync(file, entry);
        await sync(file);
      }
      callback(null, answer);
    },
  },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, grpcPort) => {
  if (error !== null) throw error;
  process.stdout.write(`${JSON.stringify({ event: 'ready', grpcPort })}\n`);
});
process.once('SIGTERM', () => process.exit(0));
