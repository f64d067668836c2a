import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { findProgram } from '../support/find-program.ts';
import { startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startWebhookServer } from '../support/webhook-server.ts';

type Channel = Record<string, unknown> & { url: string };
type Item = Record<string, unknown>;

const alertmanager = findProgram('prometheus-alertmanager') ?? findProgram('alertmanager');
const page = readFileSync(fileURLToPath(new URL('../../docs/alerts.md', import.meta.url)), 'utf8');
/** The channels that docs/alerts.md gives for other programs, by name. */
const recipes = [...page.matchAll(/^```yaml\n(.*?)^```/gms)]
  .map(([, text]) => (parse(text!) as { channels?: Record<string, Channel> }).channels)
  .find((channels) => channels?.slack !== undefined)!;

const MESSAGE = 'the "north" pump hums\nat 7 °C';

it('are for ntfy, Slack, Telegram and Alertmanager', () => {
  expect(Object.keys(recipes)).toEqual(['ntfy', 'slack', 'telegram', 'alertmanager']);
});

it('send what ntfy, Slack and Telegram document that they take', async () => {
  const { url, calls } = await startWebhookServer();
  const channels = Object.fromEntries(
    Object.entries(recipes).map(([name, channel]) => [name, { ...channel, url: `${url}${name}` }]),
  );
  const { raise } = await start(channels);
  await raise('firing', ['ntfy']);
  await raise('resolved', []);
  await expect.poll(() => calls.length).toBe(2);
  // https://docs.ntfy.sh/publish/: the body is the message, its title and tags are headers.
  expect(calls[0]).toMatchObject({
    body: `firing: ${MESSAGE}`,
    headers: { title: 'Tidemark', tags: 'thermometer', 'content-type': 'text/plain; charset=utf-8' },
  });
  await raise('firing', ['slack', 'telegram']);
  await expect.poll(() => calls.length).toBe(4);
  const bodyTo = (part: string) => {
    const call = calls.find(
      ({ body }) => body.startsWith('{') && body.includes('chat_id') === (part === 'telegram'),
    )!;
    expect(call.headers['content-type']).toBe('application/json');
    return JSON.parse(call.body) as Item;
  };
  // https://api.slack.com/messaging/webhooks and https://core.telegram.org/bots/api#sendmessage
  expect(bodyTo('slack')).toEqual({ text: MESSAGE });
  expect(bodyTo('telegram')).toEqual({ chat_id: '<chat>', text: MESSAGE });
});

describe.skipIf(!requireTool('prometheus-alertmanager', alertmanager))('Alertmanager', () => {
  it('takes an alert, and that it is over', async () => {
    const url = await startAlertmanager();
    const recipe = recipes.alertmanager!;
    const { raise } = await start({
      alertmanager: { ...recipe, url: `${url}${new URL(recipe.url).pathname}` },
    });
    const listed = async () => {
      const alerts = (await (await fetch(`${url}/api/v2/alerts`)).json()) as Item[];
      return alerts.map(({ labels, annotations, endsAt }) => ({
        labels,
        annotations,
        isOver: Date.parse(String(endsAt)) <= Date.now(),
      }));
    };
    const alert = {
      labels: { alertname: 'pump-check', sensor: 'pump-1', severity: 'critical' },
      annotations: { summary: MESSAGE },
    };
    await raise('firing', ['alertmanager']);
    await expect.poll(listed, { timeout: 20_000 }).toEqual([{ ...alert, isOver: false }]);
    await raise('resolved', []);
    // It lists what goes on alone.
    await expect.poll(listed, { timeout: 20_000 }).toEqual([]);
  });
});

/** A platform with these channels, and how to raise an alert there. */
async function start(channels: Record<string, Item>) {
  const dataDir = await tempDir();
  const config = join(dataDir, 'tidemark.yaml');
  await writeFile(config, JSON.stringify({ channels, notifications: { privateHosts: ['127.0.0.1'] } }));
  const platform = await startPlatform({ dataDir, env: { TIDEMARK_CONFIG: config } });
  onTestFinished(async () => void (await platform.end('SIGKILL')));
  return {
    raise: async (state: string, notify: string[]) => {
      const alert = { rule: 'pump-check', sensor: 'pump-1', severity: 'critical', message: MESSAGE };
      const response = await fetch(`${platform.httpUrl}/api/v1/alerts`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...alert, state, notify }),
      });
      expect(response.status).toBe(200);
    },
  };
}

/** A real Alertmanager on a free port, which notifies nobody. */
async function startAlertmanager(): Promise<string> {
  const folder = await tempDir();
  const config = join(folder, 'alertmanager.yml');
  await writeFile(config, 'route:\n  receiver: none\nreceivers:\n  - name: none\n');
  const args = ['--web.listen-address=127.0.0.1:0', '--cluster.listen-address=', `--storage.path=${folder}`];
  const child = spawn(alertmanager!, [`--config.file=${config}`, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  for await (const line of createInterface({ input: child.stderr })) {
    const [, address] = /msg="Listening on" address=(\S+)/.exec(line) ?? [];
    if (address !== undefined) {
      child.stderr.resume();
      return `http://${address}`;
    }
  }
  throw new Error('Alertmanager did not start');
}
