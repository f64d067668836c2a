import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startPlatform } from '../support/platform-process.ts';
import { startPlatformWithToken } from '../support/platform-with-token.ts';
import { tempDir } from '../support/temp-dir.ts';

const grpcurl = process.env.GRPCURL_BIN;
const execute = promisify(execFile);

/** Runs grpcurl; resolves with what it prints, and with its errors when it fails. */
async function run(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return execute(grpcurl!, args).catch((error: { stdout: string; stderr: string }) => error);
}

describe.skipIf(!requireTool('GRPCURL_BIN', grpcurl))('grpcurl, with no proto file', () => {
  it('runs the whole life of a reading', async () => {
    const platform = await startPlatform({
      dataDir: await tempDir(),
      env: { TIDEMARK_REGISTRY_MODE: 'strict' },
    });
    onTestFinished(async () => void (await platform.end('SIGTERM')));
    const address = `127.0.0.1:${platform.grpcPort}`;
    const call = async (method: string, request: unknown) => {
      const { stdout, stderr } = await run(
        '-plaintext',
        '-d',
        JSON.stringify(request),
        address,
        `tidemark.v1.${method}`,
      );
      if (stderr !== '') throw new Error(stderr);
      return JSON.parse(stdout);
    };

    const { stdout: services } = await run('-plaintext', address, 'list');
    expect(services.trim().split('\n')).toEqual([
      'grpc.health.v1.Health',
      'tidemark.v1.HeartbeatService',
      'tidemark.v1.ReadingService',
      'tidemark.v1.RegistryService',
    ]);
    const { stdout: health } = await run('-plaintext', address, 'grpc.health.v1.Health/Check');
    expect(JSON.parse(health)).toEqual({ status: 'SERVING' });

    await expect(
      call('ReadingService/Record', { reading: { sensor: 'gh-1', values: { temperature: 1 } } }),
    ).rejects.toThrow(/NotFound[\s\S]*reading\.sensor/);
    await call('RegistryService/CreateLocation', { location: { id: 'hall', name: 'North hall' } });
    await call('RegistryService/CreateLocation', { location: { id: 'yard' } });
    await call('RegistryService/CreateSensor', { sensor: { id: 'gh-1', location: 'hall' } });
    await expect(
      call('ReadingService/Record', {
        reading: { sensor: 'gh-1', location: 'yard', values: { temperature: 1 } },
      }),
    ).rejects.toThrow(/FailedPrecondition[\s\S]*reading\.location/);

    const timeNs = '1700000000000000001';
    const reading = { sensor: 'gh-1', location: 'hall', timeNs, values: { temperature: 21.5 } };
    const id = `gh-1@${timeNs}`;
    expect(await call('ReadingService/Record', { reading })).toEqual({ id });
    for (const selection of [{}, { first: true }, { last: true }, { newest: 3 }, { oldest: 3 }, { id }])
      expect(await call('ReadingService/List', selection)).toEqual({
        readings: [{ id, ...reading }],
        count: 1,
      });
    expect(await call('ReadingService/List', { filter: { sensors: ['other'] } })).toEqual({ isEmpty: true });
    const windows = { filter: { fromNs: timeNs, toNs: '1700000001000000000' }, functions: ['max'] };
    expect(await call('ReadingService/Windows', windows)).toMatchObject({
      windows: [{ metric: 'temperature', values: { max: 21.5 } }],
    });
    expect(await call('RegistryService/ListSensors', {})).toMatchObject({
      sensors: [{ id: 'gh-1' }],
      count: 1,
    });
    expect(await call('HeartbeatService/Beat', { service: 'shell' })).toEqual({ timeNs: expect.any(String) });
  });

  it('shows a token where credentials are configured', async () => {
    const { platform, created } = await startPlatformWithToken();
    const method = [
      '-plaintext',
      `127.0.0.1:${platform.grpcPort}`,
      'tidemark.v1.RegistryService/ListSensors',
    ];
    expect((await run(...method)).stderr).toContain('Unauthenticated');
    const authorization = `authorization: Bearer ${created.token.token}`;
    expect(JSON.parse((await run('-H', authorization, ...method)).stdout)).toEqual({ isEmpty: true });
    expect((await run('-H', 'authorization: Bearer wrong', ...method)).stderr).toContain('Unauthenticated');
  });
});
