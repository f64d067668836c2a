import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { requireTool } from '@tidemark/store/testing';
import { expect, it, onTestFinished } from 'vitest';
import { startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

/** A Python with the packages grpcio and grpcio-tools. */
const python = process.env.GRPC_PYTHON;
const run = promisify(execFile);
const script = fileURLToPath(new URL('grpc_python.py', import.meta.url));
const protoDir = fileURLToPath(new URL('../../api/proto', import.meta.url));

it.skipIf(!requireTool('GRPC_PYTHON', python))('grpcio runs the whole life of a reading', async () => {
  const platform = await startPlatform({ dataDir: await tempDir() });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  const { stdout } = await run(python!, [script, `127.0.0.1:${platform.grpcPort}`, protoDir]);
  const at = (n: number) => `py@${1_700_000_000_000_000_001n + BigInt(n)}`;
  expect(JSON.parse(stdout)).toEqual({
    'watch begins with': 'heartbeat',
    id: at(0),
    watched: [at(0), 'hall', { temperature: 21.5 }],
    stream: [true, 500],
    first: [at(0)],
    last: [at(1005)],
    'newest 2': [at(1005), at(1004)],
    'by id': [at(0)],
    pages: [200, 200, 101],
    empty: [0, true],
    mean: { mean: 21.5 },
    'bad name': 'INVALID_ARGUMENT',
    'late deadline': 'DEADLINE_EXCEEDED',
  });
});
