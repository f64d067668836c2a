import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { runTidemark } from '../support/platform-process.ts';
import { startPlatformWithToken } from '../support/platform-with-token.ts';
import { tempDir } from '../support/temp-dir.ts';

/** A Telegraf with the plugins that `.ci/install-telegraf` lists. */
const telegraf = process.env.TELEGRAF_BIN;
const page = readFileSync(fileURLToPath(new URL('../../docs/influxdb.md', import.meta.url)), 'utf8');
/** The configurations that docs/influxdb.md gives, by the plugin that writes. */
const recipes = Object.fromEntries(
  [...page.matchAll(/^```toml\n(.*?)^```/gms)].map(([, text]) => [/outputs\.(\w+)/.exec(text!)![1]!, text!]),
);
const outputs = ['influxdb_v2', 'influxdb'];

describe.skipIf(!requireTool('TELEGRAF_BIN', telegraf))('Telegraf', () => {
  it('is in docs/influxdb.md with each output', () => {
    expect(Object.keys(recipes)).toEqual(outputs);
  });

  it.each(outputs)('writes a file by outputs.%s', async (output) => {
    const { once, readings } = await start(output);
    const lines = Array.from({ length: 2750 }, (_, n) => `readings,sensor=file value=${n / 8} ${n + 1}`);
    const text =
      'readings,sensor=a\\ b\\,c\\=d value=0.1,text="said \\"hi\\", \\\\ and left" 1700000000000000001';
    expect(await once([...lines, text])).toMatchObject({ code: 0 });
    const [last, ...others] = (await readings()).reverse();
    expect(last).toMatchObject({
      sensor: 'a b,c=d',
      time: '2023-11-14T22:13:20.000000001Z',
      value: 0.1,
      text: 'said "hi", \\ and left',
    });
    expect(others.reverse().map(({ value }) => value)).toEqual(lines.map((_, n) => n / 8));
  });

  it.each(outputs)('carries what devices publish elsewhere by outputs.%s', async (output) => {
    const { follow, publish, readings } = await start(output);
    // Retained, so that it does not matter which comes first: this message or the subscription.
    await publish('factory/press', 'readings,sensor=press value=21.5 1700000000000000001');
    follow('factory/#');
    await expect
      .poll(() => readings(), { timeout: 30_000 })
      .toMatchObject([{ sensor: 'press', time: '2023-11-14T22:13:20.000000001Z', value: 21.5 }]);
  });

  // The table of docs/influxdb.md: what Telegraf cannot send it counts when it ends.
  it.each([
    ['influxdb_v2', 'token', 'keeps'],
    ['influxdb', 'token', 'drops'],
    ['influxdb_v2', 'database', 'drops'],
    ['influxdb', 'database', 'drops'],
    ['influxdb_v2', 'line', 'drops'],
    ['influxdb', 'line', 'drops'],
  ])('outputs.%s, when the %s is wrong, %s', async (output, what, expected) => {
    const { once, readings, quarantined } = await start(output, what);
    const far = 'readings,sensor=far value=1 4600000000000000000';
    const { code, errors } = await once([
      'readings,sensor=kept value=1 1',
      ...(what === 'line' ? [far] : []),
    ]);
    const fate = errors.includes('unable to send 1 metrics') && code === 1 ? 'keeps' : 'drops';
    expect([fate, errors]).toEqual([expected, expect.stringMatching(/API token|not found|too far/)]);
    expect((await readings()).map(({ sensor }) => sensor)).toEqual(what === 'line' ? ['kept'] : []);
    expect(await quarantined()).toEqual(what === 'line' ? [far] : []);
  });
});

/** A platform that asks for credentials, and Telegraf by its recipe, in which something may be wrong. */
async function start(output: string, wrong?: string) {
  const { platform, created } = await startPlatformWithToken();
  const { token } = created.token;
  const { name, password } = created.user;
  const { hostname, port } = new URL(platform.httpUrl);
  const folder = await tempDir();
  const recipe = recipes[output]!.replaceAll('127.0.0.1', hostname)
    .replaceAll('8080', port)
    .replaceAll('TOKEN', wrong === 'token' ? 'wrong' : token)
    .replace(/(bucket|database) = "tidemark"/, wrong === 'database' ? '$1 = "other"' : '$&');

  /** Runs it with an input; its errors are what it logged. */
  const run = async (input: string, options: readonly string[]) => {
    const config = join(folder, 'telegraf.conf');
    await writeFile(config, `${recipe}  flush_interval = "200ms"\n${input}`);
    const child = spawn(telegraf!, ['--config', config, ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, errors })) };
  };

  return {
    once: async (lines: readonly string[]) => {
      const file = join(folder, 'lines.txt');
      await writeFile(file, `${lines.join('\n')}\n`);
      const input = `[[inputs.file]]\n  files = ["${file}"]\n  data_format = "influx"\n`;
      return (await run(input, ['--once'])).ended;
    },
    follow: (topic: string): void => {
      const login = `username = "${name}"\n  password = "${password}"`;
      const source = `servers = ["${platform.mqttUrl.replace('mqtt:', 'tcp:')}"]\n  topics = ["${topic}"]`;
      const input = `[[inputs.mqtt_consumer]]\n  ${source}\n  qos = 1\n  ${login}\n  topic_tag = ""\n  data_format = "influx"\n`;
      const running = run(input, []);
      onTestFinished(async () => {
        const { child, ended } = await running;
        child.kill('SIGTERM');
        await ended;
      });
    },
    publish: async (topic: string, payload: string): Promise<void> => {
      const login = ['--username', name, '--password', password];
      const args = ['publish', '--url', platform.mqttUrl, ...login, '--retain', topic, payload];
      expect((await runTidemark(args)).code).toBe(0);
    },
    readings: () => allReadings(platform.httpUrl, '', token),
    quarantined: async (): Promise<string[]> => {
      const url = `${platform.httpUrl}/api/v1/quarantine`;
      const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
      const { items } = (await response.json()) as { items: { payload: string }[] };
      return items.map(({ payload }) => Buffer.from(payload, 'base64').toString());
    },
  };
}
