import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type PlatformProcess, runTidemark } from '../support/platform-process.ts';
import { initCredentials, startPlatformWithToken } from '../support/platform-with-token.ts';
import { tempDir } from '../support/temp-dir.ts';

// A platform that other machines can reach: bound to every address, with what `tidemark init` created.

const open = ['/', '/ping', '/ready', '/health', '/docs', '/openapi.json'];
const closed = ['/api/v1/latest', '/api/v1/readings', '/api/v1/quarantine', '/api/v1/live', '/metrics'];

it('asks for a password over MQTT and WebSocket, and stores only what came with it', async () => {
  const { platform, created } = await startPlatformWithToken();
  const { name, password } = created.user;
  const logins = [
    { options: [], isRight: false },
    { options: ['--username', name], isRight: false },
    { options: ['--username', name, '--password', `${password}x`], isRight: false },
    { options: ['--username', 'someone', '--password', password], isRight: false },
    { options: ['--username', name, '--password', password], isRight: true },
  ];
  for (const [scheme, url] of Object.entries({ mqtt: platform.mqttUrl, webSocket: platform.httpUrl })) {
    for (const [n, { options, isRight }] of logins.entries()) {
      const topic = `sensors/${scheme}-${n}/level`;
      const { code, stderr } = await runTidemark(['publish', '--url', url, ...options, topic, '1']);
      expect({ topic, code }).toEqual({ topic, code: isRight ? 0 : 1 });
      if (!isRight)
        expect(stderr).toMatch(/refuses the user name or password; give --username and --password$/m);
    }
  }
  const { items } = (await (await ask(platform, '/api/v1/latest', created.token.token)).json()) as {
    items: { sensor: string }[];
  };
  expect(items.map(({ sensor }) => sensor).sort()).toEqual(['mqtt-4', 'webSocket-4']);
});

it('asks for a token over HTTP wherever data is, and says so', async () => {
  const { platform, created } = await startPlatformWithToken();
  for (const path of open) expect([path, (await ask(platform, path)).ok]).toEqual([path, true]);
  for (const path of closed) {
    for (const token of [undefined, 'nonsense', created.user.password]) {
      const refusal = await ask(platform, path, token);
      expect([path, refusal.status]).toEqual([path, 401]);
      expect(refusal.headers.get('www-authenticate')).toMatch(/^Bearer/);
      expect(await refusal.json()).toMatchObject({ code: 'unauthorized' });
    }
    const answer = await ask(platform, path, created.token.token);
    expect([path, answer.status]).toEqual([path, 200]);
    await answer.body?.cancel();
  }
});

it('takes the new secrets at once when they are rotated, and the old ones no more', async () => {
  const { platform, created, dataDir } = await startPlatformWithToken();
  const rotated = await initCredentials(dataDir, '--rotate');
  const statuses = [created, rotated].map(
    async ({ token }) => (await ask(platform, '/metrics', token.token)).status,
  );
  expect(await Promise.all(statuses)).toEqual([401, 200]);
  const codes = [created, rotated].map(async ({ user: { name, password } }) => {
    const login = ['--username', name, '--password', password];
    return (await runTidemark(['publish', '--url', platform.mqttUrl, ...login, 'sensors/a/b', '1'])).code;
  });
  expect(await Promise.all(codes)).toEqual([1, 0]);
});

it('keeps the secrets where only their owner reads them, and hashes in the database', async () => {
  const dataDir = join(await tempDir(), 'data');
  const { user, token } = await initCredentials(dataDir);
  const modes = [dataDir, join(dataDir, 'secrets'), user.path, token.path].map(
    (path) => statSync(path).mode & 0o777,
  );
  expect(modes).toEqual([0o700, 0o700, 0o600, 0o600]);
  expect(readFileSync(user.path, 'utf8').trim()).toBe(user.password);
  expect(readFileSync(token.path, 'utf8').trim()).toBe(token.token);
  const database = readFileSync(join(dataDir, 'meta.db'), 'latin1');
  expect(database).toContain(user.name);
  expect(database).not.toContain(user.password);
  expect(database).not.toContain(token.token);
});

function ask({ httpUrl }: PlatformProcess, path: string, token?: string): Promise<Response> {
  return fetch(
    `${httpUrl}${path}`,
    token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
  );
}
