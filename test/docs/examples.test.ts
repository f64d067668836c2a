import { execFile } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findProgram } from '../support/find-program.ts';
import { settingsFor, startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

// Every command of the README and of docs/ that talks to a platform is run as it is printed.

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
);

/** What starts or installs the platform or Grafana, or follows it without an end; their tests are elsewhere. */
const setUp =
  /^(?:[A-Z_]+=\S+ )*(?:npm |docker compose |npx tidemark grafana$|npx tidemark live|npx tidemark example )/;

// What differs from a reader's shell: the ports, the checkout's own tidemark, and an end for what has none.
const prelude = `
npx() { shift; "$READER_NODE" "$READER_BIN" "$@"; }
mosquitto_pub() { command mosquitto_pub -p "$TIDEMARK_MQTT_PORT" "$@"; }
curl() { command curl --silent --show-error --fail-with-body "$@"; }
`;
const curlTimedOut = 28;

const hasTools = [
  requireTool('Mosquitto', findProgram('mosquitto_pub')),
  requireTool('curl', findProgram('curl')),
].every(Boolean);

describe.skipIf(!hasTools)('examples', () => {
  it.each(pages.filter((page) => runnableOf(page).length > 0))('%s', async (page) => {
    const { httpUrl, run } = await startReader(page);
    for (const command of runnableOf(page)) {
      const { isEndless, ...result } = await run(command);
      expect(result, command).toMatchObject({ code: isEndless ? curlTimedOut : 0 });
      const isSilent = /^(printf .* \| )?mosquitto_pub/.test(command) || isEndless;
      if (!isSilent) expect(result.stdout, command).not.toBe('');
      if (command.includes('/readings?sensor=')) expect(result.stdout, command).toContain('"isEmpty":false');
    }
    // What an example publishes is stored; a refusal is acknowledged too.
    const quarantine = await fetch(`${httpUrl}/api/v1/quarantine`);
    expect(await quarantine.json()).toMatchObject({ items: [] });
  });

  it('are found', () => {
    const all = pages.flatMap(commandsOf);
    for (const word of ['curl', 'npx tidemark publish', 'npx tidemark query', 'mosquitto_pub', 'npm ci']) {
      expect(
        all.some((command) => command.startsWith(word)),
        word,
      ).toBe(true);
    }
  });
});

function runnableOf(page: string): string[] {
  return commandsOf(page).filter((command) => !setUp.test(command));
}

/** The commands in fenced `sh` blocks, those over several lines as one. */
function commandsOf(page: string): string[] {
  const markdown = readFileSync(join(root, page), 'utf8');
  return [...markdown.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block]) =>
    block!
      .replaceAll(/\\\n\s*/g, '')
      .split('\n')
      .filter((line) => line.trim() !== ''),
  );
}

/** The mappings of all examples of a page, together, without those that another one has already. */
function mappingsOf(page: string): string {
  const markdown = readFileSync(join(root, page), 'utf8');
  const blocks = [...markdown.matchAll(/^```yaml\nmappings:\n(.*?)^```/gms)].map(([, block]) => block!);
  const documents = blocks.flatMap((block) => block.split(/^(?= {2}- )/m));
  const nameOf = (document: string) => document.split('\n')[0]!;
  return documents
    .filter(
      (document, index) => documents.findLastIndex((other) => nameOf(other) === nameOf(document)) === index,
    )
    .join('');
}

/** A platform on free ports, and the shell of somebody who reads beside it. */
async function startReader(page: string) {
  const dataDir = await tempDir();
  const folder = await tempDir();
  copyFileSync(join(root, 'test/fixtures/cellar.csv'), join(folder, 'recording.csv'));
  const [, registry] = /^```yaml\n(.*?)^```/ms.exec(readFileSync(join(root, 'docs/registry.md'), 'utf8'))!;
  writeFileSync(join(folder, 'registry.yaml'), registry!);
  const mappings = mappingsOf(page);
  const file = join(folder, 'tidemark.yaml');
  if (mappings !== '') writeFileSync(file, `mappings:\n${mappings}`);
  const platform = await startPlatform({ dataDir, env: mappings === '' ? {} : { TIDEMARK_CONFIG: file } });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  const { port: mqttPort } = new URL(platform.mqttUrl);
  const { port: httpPort } = new URL(platform.httpUrl);
  const env = settingsFor(dataDir, {
    TIDEMARK_MQTT_PORT: mqttPort,
    TIDEMARK_HTTP_PORT: httpPort,
    TIDEMARK_GRPC_PORT: String(platform.grpcPort),
    READER_NODE: process.execPath,
    READER_BIN: join(root, 'cli/bin/tidemark.js'),
  });
  const run = async (command: string) => {
    const isEndless = command.startsWith('curl -N');
    const text = command
      .replaceAll('127.0.0.1:8080', `127.0.0.1:${httpPort}`)
      .replace(/^curl -N/, 'curl -N --max-time 1')
      .replace(/^npx tidemark simulate/, '$& --count 200');
    const { code, stdout, stderr } = await new Promise<{ code: number; stdout: string; stderr: string }>(
      (resolve) => {
        execFile('sh', ['-c', `${prelude}\n${text}`], { cwd: folder, env }, (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
        );
      },
    );
    return { code, stdout, stderr, isEndless };
  };
  return { httpUrl: platform.httpUrl, run };
}
