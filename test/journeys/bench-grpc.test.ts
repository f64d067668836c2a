import { expect, it, onTestFinished } from 'vitest';
import { runTidemark, startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

it('tidemark bench grpc makes the calls that it tells of', async () => {
  const platform = await startPlatform({ dataDir: await tempDir() });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  const bench = (...args: string[]) =>
    runTidemark(['bench', 'grpc', '--address', `127.0.0.1:${platform.grpcPort}`, ...args]);

  const { code, stdout } = await bench('--only', 'record-10000x1,stream-4x1,list-10x10', '--json');
  expect(code).toBe(0);
  const results = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(results).toMatchObject([
    { name: 'record-10000x1', calls: 10_000, readings: 10_000 },
    { name: 'stream-4x1', calls: 4, readings: 400_000 },
    { name: 'list-10x10', calls: 100, readings: 1_000_000 },
  ]);

  // Each with its warm-up: of 1 000 calls, of two streams, and of the readings that are then read.
  const query = new URLSearchParams({ db: 'tidemark', q: 'SELECT count(temperature) FROM readings' });
  const answer = await (await fetch(`${platform.httpUrl}/query?${query}`)).json();
  expect(answer.results[0].series[0].values[0][1]).toBe(11_000 + 600_000 + 10_000);
  const metrics = await (await fetch(`${platform.httpUrl}/metrics`)).text();
  expect(metrics).toMatch(/grpc_server_handled_total\{.*grpc_method="Record",.*grpc_code="OK"\} 11000\n/);

  expect((await bench('--only', 'stream-4x1')).stdout).toMatch(/4 streams +\d+ +readings/);
  expect(await bench('--only', 'nothing')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('record-100x100'),
  });
});

it('tidemark bench grpc says where nobody answers', async () => {
  const { code, stderr } = await runTidemark([
    'bench',
    'grpc',
    '--address',
    '127.0.0.1:9',
    '--only',
    'stream-4x1',
  ]);
  expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('no gRPC at') });
});
