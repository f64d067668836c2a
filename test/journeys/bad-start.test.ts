import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { runTidemark, settingsFor, startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

/** One clear sentence on standard error, exit 1, no stack trace. */
async function expectRefusal(env: Record<string, string>, sentence: RegExp, cwd?: string): Promise<void> {
  const dataDir = env.TIDEMARK_DATA_DIR ?? (await tempDir());
  const { code, stdout, stderr } = await runTidemark(['serve'], {
    env: settingsFor(dataDir, env) as Record<string, string>,
    ...(cwd && { cwd }),
  });
  expect(stderr).toMatch(sentence);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
}

async function takenPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return String(address.port);
}

it('a port in use', async () => {
  const port = await takenPort();
  await expectRefusal(
    { TIDEMARK_MQTT_PORT: port },
    new RegExp(`MQTT port ${port}.* in use.*TIDEMARK_MQTT_PORT`),
  );
  await expectRefusal(
    { TIDEMARK_HTTP_PORT: port },
    new RegExp(`HTTP port ${port}.* in use.*TIDEMARK_HTTP_PORT`),
  );
});

it('a data directory that cannot be written', async () => {
  const folder = await tempDir();
  const file = join(folder, 'file');
  await writeFile(file, '');
  await expectRefusal({ TIDEMARK_DATA_DIR: join(file, 'data') }, /data directory .* cannot be used/);
  await expectRefusal({ TIDEMARK_DATA_DIR: '/proc/tidemark' }, /data directory .* cannot be used/);
});

it('a data directory that another process runs on', async () => {
  const dataDir = await tempDir();
  const platform = await startPlatform({ dataDir });
  await expectRefusal({ TIDEMARK_DATA_DIR: dataDir }, /in use by another Tidemark/);
  await platform.end('SIGTERM');
});

it('a broken tidemark.yaml, and one with every kind of fault, all told at once', async () => {
  const folder = await tempDir();
  await writeFile(join(folder, 'tidemark.yaml'), 'mqtt: [');
  await expectRefusal({}, /tidemark\.yaml is not valid YAML/, folder);
  await writeFile(
    join(folder, 'tidemark.yaml'),
    'ingest: {batchAgeMs: nine}\nmqtt: {prot: 1}\nspool: {maxBytes: 1}\nsurprise: 1\n',
  );
  await expectRefusal(
    { TIDEMARK_HTPP_PORT: '1' },
    /5 faults: TIDEMARK_HTPP_PORT: no such setting; mqtt\.prot: no such setting; ingest\.batchAgeMs: .*; spool\.maxBytes: .*; surprise: no such setting/,
    folder,
  );
});

it('an address beyond this machine without credentials', async () => {
  await expectRefusal({ TIDEMARK_HOST: '0.0.0.0' }, /needs credentials.*npx tidemark init/);
});
