import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { findProgram } from '../support/find-program.ts';
import { startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

const hasMosquitto = requireTool(
  'mosquitto_pub',
  findProgram('mosquitto_pub') && findProgram('mosquitto_sub'),
);

async function run(
  program: string,
  args: readonly string[],
): Promise<{ code: number | null; stdout: string }> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout };
}

describe.skipIf(!hasMosquitto)('the clients of Mosquitto', () => {
  it.each(['mqttv311', 'mqttv5'])('publish and subscribe by %s', async (version) => {
    const platform = await startPlatform({ dataDir: await tempDir() });
    const { hostname, port } = new URL(platform.mqttUrl);
    const server = ['-h', hostname, '-p', port, '-V', version];
    const retained = [...server, '-t', 'state/fan', '-m', 'idle', '-q', '1', '-r'];
    expect(await run('mosquitto_pub', retained)).toEqual({ code: 0, stdout: '' });
    for (const [qos, value] of [
      ['0', '20'],
      ['1', '21'],
      ['2', '22'],
    ]) {
      const message = ['-t', `sensors/kitchen/qos${qos}`, '-m', value!, '-q', qos!];
      expect(await run('mosquitto_pub', [...server, ...message])).toEqual({ code: 0, stdout: '' });
    }
    const subscription = ['-t', 'state/#', '-C', '1', '-W', '30', '-q', '1', '-v'];
    expect(await run('mosquitto_sub', [...server, ...subscription])).toEqual({
      code: 0,
      stdout: 'state/fan idle\n',
    });
    const stored = await allReadings(platform.httpUrl, 'sensor=kitchen');
    const values = stored.map(({ qos0, qos1, qos2 }) => qos0 ?? qos1 ?? qos2);
    // QoS 0 promises nothing, and on loopback arrives.
    expect(values).toEqual([20, 21, 22]);
    expect(await platform.end('SIGTERM')).toBe(0);
  });
});
