import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@tidemark/core';
import { Credentials, openMetaDb } from '@tidemark/store';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const bin = fileURLToPath(new URL('../bin/tidemark.js', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  code: number;
  out: string;
  err: string;
}

function tidemark(
  args: string[],
  env: Record<string, string> = {},
  nodeFlags: string[] = [],
): Promise<Ended> {
  const options = {
    cwd: folder,
    env: { PATH: process.env.PATH, TIDEMARK_LOG_LEVEL: 'silent', ...env },
    timeout: 20_000,
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [...nodeFlags, bin, ...args], options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

describe('exit codes', { timeout: 60_000 }, () => {
  it('are 0 for help and version', async () => {
    expect(await tidemark(['--help'])).toMatchObject({ code: 0, out: expect.stringContaining('replay') });
    expect(await tidemark(['--version'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });

  it.each([
    [['bogus']],
    [['replay']],
    [['simulate', '--rate', 'fast']],
    [['simulate', '--metrics', 'wind']],
    [['publish', 'a', 'b', '--qos', '3']],
    [['query', 'windows', '--every', '5 minutes']],
    [['query', 'latest', '--url', 'mqtt://127.0.0.1']],
    [['query', 'latest', '--json', '--csv']],
    [['quarantine', 'discard', '--reason', 'boredom']],
    [['quarantine', 'discard', '--yes']],
    [['quarantine', 'discard', '--reason', 'empty']],
    [['quarantine', 'replay', '7', '--all']],
    [['quarantine', 'replay', '--all', '--payload', '1']],
  ])('are 2 for wrong usage: %j', async (args) => {
    expect(await tidemark(args)).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/^error: /) });
  });

  it.each([
    [['publish', '--url', 'mqtt://127.0.0.1:1', 'a', 'b'], /cannot reach a broker at .*npm start/],
    [['query', 'latest', '--url', 'http://127.0.0.1:1'], /cannot ask http.*npm start/],
    [['replay', 'absent.csv'], /absent\.csv.*no such file/],
    [['replay', '.', '--url', 'mqtt://127.0.0.1:1'], /./],
    [['serve', '--config', 'absent.yaml'], /absent\.yaml/],
  ])('are 1, with one sentence, for what failed: %j', async (args, message) => {
    expectFailure(await tidemark(args), message);
  });
});

function expectFailure({ code, out, err }: Ended, message: RegExp): void {
  expect({ code, out, lines: err.trim().split('\n').length }).toEqual({ code: 1, out: '', lines: 1 });
  expect(err).toMatch(/^tidemark: /);
  expect(err).toMatch(message);
}

describe('the platform that cannot start', { timeout: 60_000 }, () => {
  it('names every fault of its settings at once', async () => {
    writeFileSync(join(folder, 'broken.yaml'), 'mqtt:\n  prot: 1\nhost: ""\n');
    const ended = await tidemark(['serve', '--config', 'broken.yaml'], { TIDEMARK_HTTP_PORT: 'web' });
    expectFailure(ended, /3 faults: .*mqtt\.prot.*/);
  });

  it('says which port is taken and how to choose another', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => squatter.once('listening', resolve));
    const { port } = squatter.address() as { port: number };
    const free = {
      TIDEMARK_MQTT_PORT: '0',
      TIDEMARK_HTTP_PORT: '0',
      TIDEMARK_GRPC_PORT: '0',
      TIDEMARK_DATA_DIR: join(folder, 'taken'),
    };
    for (const setting of ['TIDEMARK_MQTT_PORT', 'TIDEMARK_HTTP_PORT', 'TIDEMARK_GRPC_PORT']) {
      const ended = await tidemark(['serve'], { ...free, [setting]: String(port) });
      expectFailure(ended, new RegExp(`${port}.*${setting}`));
    }
    squatter.close();
  });

  it('refuses other addresses without credentials, and says how to create them', async () => {
    const ended = await tidemark(['serve'], {
      TIDEMARK_HOST: '0.0.0.0',
      TIDEMARK_DATA_DIR: join(folder, 'open'),
    });
    expectFailure(ended, /npx tidemark init --data-dir/);
  });

  it('says in a sentence that its Node is too old', async () => {
    expectFailure(await tidemark(['--help'], {}, ['--no-experimental-strip-types']), /needs Node 24/);
  });
});

describe('init', { timeout: 60_000 }, () => {
  it('creates secrets once, keeps hashes, and replaces them on request only', async () => {
    const dataDir = join(folder, 'secret');
    const secret = (name: string) => readFileSync(join(dataDir, 'secrets', name), 'utf8').trim();
    const first = await tidemark(['init', '--data-dir', dataDir]);
    const [password, token, flows] = [
      secret('mqtt-password'),
      secret('api-token'),
      secret('flows-password'),
    ] as const;
    expect(first.code).toBe(0);
    for (const one of [password, token, flows]) expect(first.out).toContain(one);
    const modes = ['secrets', 'secrets/mqtt-password', 'secrets/api-token', 'secrets/flows-password'].map(
      (name) => statSync(join(dataDir, name)).mode & 0o777,
    );
    expect(modes).toEqual([0o700, 0o600, 0o600, 0o600]);

    const again = await tidemark(['init', '--data-dir', dataDir]);
    expect([again.code, again.out.includes(password), again.out.includes('exists')]).toEqual([
      0,
      false,
      true,
    ]);
    expect(['mqtt-password', 'api-token', 'flows-password'].map(secret)).toEqual([password, token, flows]);
    expect(await opens(dataDir, password, token)).toEqual([true, true]);

    mkdirSync(join(dataDir, 'flows'));
    const sessions = join(dataDir, 'flows', '.sessions.json');
    writeFileSync(sessions, '{}');
    expect((await tidemark(['init', '--data-dir', dataDir, '--rotate', '--quiet'])).out).toBe('');
    expect(existsSync(sessions)).toBe(false);
    expect(secret('flows-password')).not.toBe(flows);
    expect(await opens(dataDir, password, token)).toEqual([false, false]);
    expect(await opens(dataDir, secret('mqtt-password'), secret('api-token'))).toEqual([true, true]);
  });
});

async function opens(dataDir: string, password: string, token: string): Promise<[boolean, boolean]> {
  const db = openMetaDb(join(dataDir, 'meta.db'));
  const credentials = new Credentials({ db, clock: systemClock, isRequired: true });
  const verdict = await credentials.checkUser('tidemark', new TextEncoder().encode(password));
  const verdicts: [boolean, boolean] = [verdict, credentials.checkToken(token)];
  db.close();
  return verdicts;
}
