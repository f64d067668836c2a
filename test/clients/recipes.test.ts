import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { allReadings } from '../support/all-readings.ts';
import { startPlatformWithToken } from '../support/platform-with-token.ts';

// What docs/influxdb.md says to each client is run as it is printed, against a platform that asks for a token. Those of
// curl are run by test/docs, those of Telegraf by telegraf.test.ts.

const here = dirname(fileURLToPath(import.meta.url));
const page = readFileSync(`${here}/../../docs/influxdb.md`, 'utf8');
const run = promisify(execFile);
const python = process.env.INFLUX_PYTHON;
const influxFolder = process.env.INFLUX_JS;

describe('recipes of docs/influxdb.md', () => {
  it.skipIf(!requireTool('INFLUX_PYTHON', python))('Python', async () => {
    const { recipes, readings } = await start('python');
    expect(recipes).toHaveLength(2);
    for (const recipe of recipes) await run(python!, ['-c', recipe]);
    expect(await readings()).toMatchObject([kitchen, kitchen]);
  });

  it('JavaScript, for InfluxDB 2', async () => {
    const { recipes, readings } = await start('js');
    const recipe = recipes.find((text) => text.includes('@influxdata/influxdb-client'));
    await run(process.execPath, ['--input-type=module', '-e', recipe!], { cwd: here });
    expect(await readings()).toMatchObject([kitchen]);
  });

  it.skipIf(!requireTool('INFLUX_JS', influxFolder))('JavaScript, for InfluxDB 1', async () => {
    const { recipes, readings } = await start('js');
    const recipe = recipes.find((text) => text.includes("from 'influx'"));
    await run(process.execPath, ['--input-type=module', '-e', recipe!], { cwd: dirname(influxFolder!) });
    expect(await readings()).toMatchObject([kitchen]);
  });

  it.skipIf(!requireTool('INFLUX_PYTHON', python))('Home Assistant', async () => {
    const { recipes, readings } = await start('yaml');
    expect(recipes).toHaveLength(2);
    for (const [n, recipe] of recipes.entries()) {
      const { influxdb } = parse(recipe) as { influxdb: object };
      const state = {
        measurement: 'readings',
        tags: { sensor: `entity-${n}` },
        time: '2026-01-01T00:00:00.123456+00:00',
        fields: { value: 21.5, friendly_name_str: 'Küche "1"' },
      };
      await run(python!, [
        '-B',
        `${here}/home_assistant.py`,
        JSON.stringify(influxdb),
        JSON.stringify([state]),
      ]);
    }
    const time = '2026-01-01T00:00:00.123456Z';
    expect(await readings()).toMatchObject(
      recipes.map((_, n) => ({ sensor: `entity-${n}`, time, value: 21.5, friendly_name_str: 'Küche "1"' })),
    );
  });
});

const kitchen = { sensor: 'kitchen', temperature: 21.5 };

/** A platform, and the page's blocks of a language with its address and token. */
async function start(language: string) {
  const { platform, created } = await startPlatformWithToken();
  const { token } = created.token;
  const { hostname, port } = new URL(platform.httpUrl);
  const blocks = [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))];
  return {
    recipes: blocks.map(([, text]) =>
      text!.replaceAll('127.0.0.1', hostname).replaceAll('8080', port).replaceAll('TOKEN', token),
    ),
    readings: () => allReadings(platform.httpUrl, '', token),
  };
}
