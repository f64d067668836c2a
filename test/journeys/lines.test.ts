import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { findProgram } from '../support/find-program.ts';
import { startPlatform } from '../support/platform-process.ts';
import { initCredentials } from '../support/platform-with-token.ts';
import { tempDir } from '../support/temp-dir.ts';

async function start(env: Record<string, string> = {}, dataDir?: string) {
  const options = { dataDir: dataDir ?? (await tempDir()), env: { TIDEMARK_LINES_PORT: '0', ...env } };
  const platform = await startPlatform(options);
  onTestFinished(async () => void (await platform.end('SIGKILL')));
  return { platform, port: platform.linesPort!, dataDir: options.dataDir };
}

/** Sends all of it and reads the answers to the end. */
async function send(port: number, lines: string | Buffer): Promise<string[]> {
  const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(lines);
  return (await text(socket)).trimEnd().split('\n');
}

it('stores lines of JSON and of line protocol, and says of each what became of it', async () => {
  const { platform, port } = await start();
  const lines = [
    '{"sensor": "cellar", "temperature": 12.5, "time": "2026-01-01T00:00:00Z"}',
    'readings,sensor=cellar humidity=40 1767225601000000000\r',
    '',
    '{"sensor": "cellar", "temperature": 12,5}',
    'weather wind=fast',
    '{"sensor": "cellar", "temperature": null, "humidity": 41, "time": 1767225602}',
    'weather,station=é wind=4 1767225603000000000',
  ];
  const bad = Buffer.from([0x6d, 0x20, 0x66, 0x3d, 0x22, 0xc3, 0x28, 0x22, 0x0a]);
  const answers = await send(port, Buffer.concat([Buffer.from(`${lines.join('\n')}\n`), bad]));
  expect(answers).toEqual([
    'ok 1',
    'ok 2',
    'ok 3',
    expect.stringMatching(/^error 4 malformed_json .+/),
    expect.stringMatching(/^error 5 bad_line line 5: unable to parse 'weather wind=fast'/),
    'error 6 missing_value temperature has no value',
    'ok 7',
    expect.stringMatching(/^error 8 invalid_utf8 /),
  ]);
  const stored = await allReadings(platform.httpUrl, 'sensor=cellar');
  expect(stored.map(({ temperature, humidity }) => [temperature, humidity])).toEqual([
    [12.5, undefined],
    [undefined, 40],
    [undefined, 41],
  ]);
  const quarantine = await fetch(`${platform.httpUrl}/api/v1/quarantine`);
  const { items } = (await quarantine.json()) as {
    items: { source: string; reason: string; payload: string }[];
  };
  expect(items.map(({ reason }) => reason).sort()).toEqual([
    'bad_line',
    'invalid_utf8',
    'malformed_json',
    'missing_value',
  ]);
  expect(new Set(items.map(({ source }) => source))).toEqual(new Set(['tcp']));
  // A replay reads the line as it came first.
  const replayed = await fetch(`${platform.httpUrl}/api/v1/quarantine/replay`, { method: 'POST' });
  expect(await replayed.json()).toMatchObject({ replayed: 0, refused: 4 });
  const health = (await (await fetch(`${platform.httpUrl}/health`)).json()) as { checks: { name: string }[] };
  expect(health.checks).toContainEqual(expect.objectContaining({ name: 'lines', status: 'pass' }));
});

it('has every answered line after kill -9 while lines came', async () => {
  const dataDir = await tempDir();
  const { platform, port } = await start({}, dataDir);
  const socket = connectTcp(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  let answered = 0;
  let sent = 0;
  socket.setEncoding('utf8').on('data', (answers: string) => {
    for (const answer of answers.split('\n'))
      if (answer.startsWith('ok ')) answered = Number(answer.slice(3));
    const more = Array.from({ length: 200 }, () => `readings,sensor=s n=${++sent} ${1e18 + sent * 1000}\n`);
    if (answered < 3000) socket.write(more.join(''));
    else void platform.end('SIGKILL');
  });
  socket.write(`readings,sensor=s n=${++sent} ${1e18 + sent * 1000}\n`);
  await once(socket, 'close');
  const again = await start({}, dataDir);
  const stored = new Set((await allReadings(again.platform.httpUrl)).map(({ n }) => n));
  expect(answered).toBeGreaterThanOrEqual(3000);
  for (let n = 1; n <= answered; n++) expect(stored.has(n), `line ${n}`).toBe(true);
});

it('asks for a token beyond loopback', async () => {
  const dataDir = await tempDir();
  const { token } = await initCredentials(dataDir);
  const { port } = await start({ TIDEMARK_HOST: '0.0.0.0' }, dataDir);
  expect(await send(port, 'm f=1\n')).toEqual([expect.stringMatching(/^error 0 unauthorized /)]);
  expect(await send(port, `token ${token.token}\nm f=1\n`)).toEqual(['ok 0', 'ok 1']);
});

describe.skipIf(!requireTool('openssl', findProgram('openssl')))('with TLS', () => {
  it('shows its certificate', async () => {
    const folder = await tempDir();
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const subject = ['-subj', '/CN=localhost', '-keyout', key, '-out', cert, '-days', '2'];
    execFileSync('openssl', [...request, ...subject], { stdio: 'ignore' });
    const { port } = await start({ TIDEMARK_LINES_TLS_CERT: cert, TIDEMARK_LINES_TLS_KEY: key });
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    socket.end('m f=1\n');
    expect(await text(socket)).toBe('ok 1\n');
  });
});
