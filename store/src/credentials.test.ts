import { loadConfig, systemClock } from '@tidemark/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assertBindAllowed, Credentials, generatePassword, generateToken } from './credentials.ts';
import { isLoopbackHost } from './loopback.ts';
import { type MetaDb, openMetaDb } from './meta-db.ts';

let db: MetaDb;
const bytes = (text: string) => new TextEncoder().encode(text);
const open = (isRequired: boolean) => new Credentials({ db, clock: systemClock, isRequired });

beforeEach(() => {
  db = openMetaDb(':memory:');
});
afterEach(() => db.close());

describe('MQTT users', () => {
  it('accepts the right password only, and no unknown name', async () => {
    const credentials = open(true);
    await credentials.setUser('tidemark', 'correct horse');
    expect(await credentials.checkUser('tidemark', bytes('correct horse'))).toBe(true);
    expect(await credentials.checkUser('tidemark', bytes('correct horse '))).toBe(false);
    expect(await credentials.checkUser('tidemark', bytes(''))).toBe(false);
    expect(await credentials.checkUser('someone', bytes('correct horse'))).toBe(false);
  });

  it('answers the same from its cache, and forgets it when the password changes elsewhere', async () => {
    const credentials = open(true);
    await credentials.setUser('tidemark', 'old');
    const storm = Array.from({ length: 50 }, () => credentials.checkUser('tidemark', bytes('old')));
    expect(await Promise.all(storm)).toEqual(Array(50).fill(true));
    await open(true).setUser('tidemark', 'new');
    expect(await credentials.checkUser('tidemark', bytes('old'))).toBe(false);
    expect(await credentials.checkUser('tidemark', bytes('new'))).toBe(true);
  });

  it('refuses logins it has no room to check, and still answers those that wait', async () => {
    const credentials = open(true);
    await credentials.setUser('tidemark', 'right');
    const waiting = Array.from({ length: 200 }, (_, n) => credentials.checkUser('x', bytes(`guess ${n}`)));
    await expect(credentials.checkUser('x', bytes('one more'))).rejects.toMatchObject({
      code: 'unavailable',
    });
    for (const verdict of waiting.slice(0, 2)) expect(await verdict).toBe(false);
  });

  it('keeps no password in the database', async () => {
    await open(true).setUser('tidemark', 'plain-secret');
    const row = db.prepare('SELECT name, salt, hash FROM users').get() as {
      salt: Uint8Array;
      hash: Uint8Array;
    };
    expect(Buffer.from(row.hash).includes('plain-secret')).toBe(false);
    expect([row.salt.length, row.hash.length]).toEqual([16, 32]);
  });
});

describe('API tokens', () => {
  it('accepts each token that exists, and nothing else', () => {
    const credentials = open(true);
    const [first, second] = [generateToken(), generateToken()];
    credentials.setToken('one', first);
    credentials.setToken('two', second);
    expect([first, second].map((token) => credentials.checkToken(token))).toEqual([true, true]);
    for (const token of ['', first.slice(0, -1), `${first}A`, generateToken()]) {
      expect(credentials.checkToken(token)).toBe(false);
    }
    credentials.setToken('one', generateToken());
    expect(credentials.checkToken(first)).toBe(false);
  });

  it('are 256 random bits each with their prefix', () => {
    expect(generateToken()).toMatch(/^tm_[\w-]{43}$/);
    expect(generatePassword()).not.toBe(generatePassword());
  });
});

describe('without credentials', () => {
  it('lets all in on loopback, and nobody where they are required', async () => {
    expect(await open(false).checkUser('anyone', bytes(''))).toBe(true);
    expect(open(false).checkToken('')).toBe(true);
    expect(await open(true).checkUser('anyone', bytes(''))).toBe(false);
    expect(open(true).checkToken('')).toBe(false);
  });

  it('checks on loopback too once there are any', async () => {
    const credentials = open(false);
    credentials.setToken('api', generateToken());
    expect(credentials.checkToken('wrong')).toBe(false);
    expect(await credentials.checkUser('anyone', bytes(''))).toBe(false);
  });

  it('refuses to bind beyond loopback, and says how to create them', () => {
    const config = loadConfig({ overrides: { host: '0.0.0.0' } });
    const refusal = expect.objectContaining({
      code: 'forbidden',
      message: expect.stringContaining('tidemark init'),
    });
    expect(() => assertBindAllowed(config, open(true))).toThrowError(refusal);
    open(true).setToken('api', generateToken());
    expect(() => assertBindAllowed(config, open(true))).not.toThrow();
    expect(() => assertBindAllowed(loadConfig(), open(false))).not.toThrow();
  });
});

describe('isLoopbackHost', () => {
  it.each(['127.0.0.1', '127.255.0.9', '::1', 'localhost', 'LOCALHOST', '::ffff:127.0.0.1'])(
    '%s is',
    (host) => {
      expect(isLoopbackHost(host)).toBe(true);
    },
  );
  it.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '128.0.0.1',
    '::2',
    'localhost.example.org',
    '127.0.0.1.example.org',
    '',
  ])('%s is not', (host) => expect(isLoopbackHost(host)).toBe(false));
});
