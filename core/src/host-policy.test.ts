import { describe, expect, it } from 'vitest';
import { loadConfig } from './config.ts';
import { createHostPolicy } from './host-policy.ts';

function policyOf(host: string, allowedHosts: string[] = []) {
  return createHostPolicy(loadConfig({ overrides: { host, 'http.allowedHosts': allowedHosts } }));
}

const local = policyOf('127.0.0.1', ['tidemark.example', 'other.example:8443']);

describe('the Host and Origin policy', () => {
  it.each([
    ['localhost', undefined],
    ['localhost:8080', undefined],
    ['LOCALHOST:8080', undefined],
    ['127.0.0.1:1', undefined],
    ['[::1]:8080', undefined],
    ['tidemark.example', undefined],
    ['tidemark.example:8080', undefined],
    ['other.example:8443', undefined],
    ['localhost:8080', 'http://localhost:8080'],
    ['localhost:8080', 'http://localhost:3000'],
    ['127.0.0.1:8080', 'https://tidemark.example'],
  ])('lets in Host %s with Origin %s', (host, origin) => {
    expect(local(host, origin)).toBeUndefined();
  });

  it.each([
    ['attacker.example', undefined],
    ['attacker.example:8080', undefined],
    ['localhost.attacker.example', undefined],
    ['other.example:80', undefined],
    ['127.0.0.2', undefined],
    ['192.168.1.5:8080', undefined],
    ['attacker.example@localhost', undefined],
    ['localhost/@attacker.example', undefined],
    ['', undefined],
    [undefined, undefined],
    ['localhost:8080', 'http://attacker.example'],
    ['localhost:8080', 'http://localhost.attacker.example'],
    ['localhost:8080', 'http://attacker.example#localhost'],
    ['localhost:8080', 'null'],
    ['localhost:8080', ''],
    ['localhost:8080', 'file://localhost'],
  ])('refuses Host %s with Origin %s', (host, origin) => {
    expect(local(host, origin)).toEqual(expect.any(String));
  });

  it('lets in the address that it is bound to', () => {
    const bound = policyOf('192.168.1.5');
    expect(bound('192.168.1.5:8080', 'http://192.168.1.5:8080')).toBeUndefined();
    expect(bound('192.168.1.6:8080', undefined)).toEqual(expect.any(String));
    expect(policyOf('fd00::5')('[fd00::5]:8080', undefined)).toBeUndefined();
  });

  it('lets in any address, but no other name, when bound to all of them', () => {
    const all = policyOf('0.0.0.0');
    expect(all('192.168.1.5:8080', undefined)).toBeUndefined();
    expect(all('192.168.1.5:8080', 'http://192.168.1.5:8080')).toBeUndefined();
    expect(all('[fd00::5]:8080', undefined)).toBeUndefined();
    expect(all('192.168.1.5:8080', 'http://203.0.113.9')).toEqual(expect.any(String));
    expect(all('attacker.example', undefined)).toEqual(expect.any(String));
  });
});
