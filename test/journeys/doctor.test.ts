import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PlatformProcess, runTidemark, startPlatform } from '../support/platform-process.ts';
import { startPlatformWithToken } from '../support/platform-with-token.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';

let platform: PlatformProcess;
let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tidemark-test-'));
  platform = await startPlatform({ dataDir });
});
afterAll(async () => {
  await platform.end('SIGTERM');
  await rm(dataDir, { recursive: true });
});

function doctor(...args: string[]) {
  return runTidemark(['doctor', '--url', platform.httpUrl, ...args]);
}

/** Publishes until the work is done. */
async function publishUntil<T>(topic: string, payload: string, work: Promise<T>): Promise<T> {
  const connection = await RawMqtt.connect(platform.mqttUrl, 'device');
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  for (let id = 1; !isDone; id++) {
    connection.publish(topic, payload, { messageId: id });
    await connection.until((packet) => packet.cmd === 'puback' && packet.messageId === id);
    await new Promise(setImmediate);
  }
  connection.end();
  return done;
}

describe('tidemark doctor', () => {
  it('says each step that a message would take', async () => {
    const { code, stdout } = await doctor('sensors/kitchen/temperature', '--payload', '21.5');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^sensors\/kitchen\/temperature 21\.5$/m);
    expect(stdout).toMatch(/^ {2}✓ topic +is metric temperature of sensor kitchen$/m);
    expect(stdout).toMatch(/^It is stored\.$/m);
  });

  it('says where it stops, and what to do', async () => {
    const { code, stdout, stderr } = await doctor('sensors/kitchen/temperature', '--payload', '21,5');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ {2}✗ decode +malformed_json: .*\n +→ send valid JSON: decimals with a point/m);
    expect(stdout).toMatch(/^ {2}· store +does not come this far$/m);
    expect(stderr).toBe('tidemark: quarantined at step decode\n');
    const json = await doctor('commands/x', '--payload', '1', '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({
      topic: 'commands/x',
      outcome: 'not_ingested',
      stopsAt: 'topic',
    });
  });

  it('waits for the next message, of any topic that a filter matches', async () => {
    const told = await publishUntil('sensors/hall/level', '7', doctor('sensors/+/level'));
    expect(told.code).toBe(0);
    expect(told.stderr).toContain('waiting up to 60 s for the next message on sensors/+/level');
    expect(told.stdout).toMatch(/^sensors\/hall\/level 7$/m);
    expect(told.stdout).toMatch(/the newest that is stored of hall is of /);
  });

  it('says that no message came', async () => {
    const { code, stderr } = await doctor('sensors/nobody', '--wait', '1');
    expect(code).toBe(1);
    expect(stderr).toContain('no message came on sensors/nobody');
  });

  it('looks at a platform, and tells of what was refused', async () => {
    const { code } = await runTidemark(['publish', '--url', platform.mqttUrl, 'sensors/kitchen/x', 'NaN']);
    expect(code).toBe(0);
    const json = await doctor('--json');
    const findings = json.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const of = (name: string) => findings.find(({ what }) => what === name);
    for (const what of ['http', 'clock', 'mqtt', 'access', 'broker', 'spool', 'store', 'disk', 'readings'])
      expect(of(what), what).toMatchObject({ status: expect.stringMatching(/passed|warned/) });
    expect(of('readings').message).toMatch(/^the newest is of hall at /);
    expect(of('refused')).toMatchObject({
      status: 'warned',
      message: expect.stringContaining('1 × not_finite'),
    });
    expect(json.code).toBe(0);
  });

  it('says that nobody answers', async () => {
    const { code, stdout, stderr } = await runTidemark(['doctor', '--url', 'http://127.0.0.1:9']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ http +no answer from http:\/\/127\.0\.0\.1:9: .*\n +→ start it/);
    expect(stderr).toBe('tidemark: not well: http\n');
  });

  it('says that it may not ask, and who may publish', async () => {
    const { platform: guarded, created } = await startPlatformWithToken();
    const without = await runTidemark(['doctor', '--url', guarded.httpUrl]);
    expect(without.code).toBe(1);
    expect(without.stdout).toMatch(/✗ mqtt +.* refuses the user name or password/);
    expect(without.stdout).toMatch(/✗ access +the platform asks for an API token/);
    const login = ['--username', created.user.name, '--password', created.user.password];
    const all = ['doctor', '--url', guarded.httpUrl, '--token', created.token.token, ...login];
    const told = await runTidemark(all);
    expect(told.stdout).toMatch(/✓ mqtt +.* lets in as /);
    expect(told.code).toBe(0);
    const unknown = await runTidemark([...all, 'sensors/a/b', '--payload', '1', '--user', 'someone']);
    expect(unknown.stdout).toMatch(/✗ access +there is no MQTT user someone/);
  });
});
