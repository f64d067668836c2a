import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { type PlatformProcess, runTidemark, startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';

const declared = `
locations:
  - {id: site, name: The site, latitude: 52.52, longitude: 13.405}
  - {id: hall, parent: site}
  - {id: yard, parent: site}
sensors:
  - id: s1
    kind: thermometer
    metrics: {temperature: {unit: °C, min: -20, max: 60}}
    location: hall
    expectedInterval: 30s
    owner: ops@example.org
    labels: {floor: "2"}
`;

async function start(dataDir: string, env: Record<string, string> = {}): Promise<PlatformProcess> {
  const platform = await startPlatform({ dataDir, env });
  onTestFinished(async () => void (await platform.end('SIGKILL')));
  return platform;
}

async function publish(
  { mqttUrl }: PlatformProcess,
  messages: [topic: string, payload: unknown][],
): Promise<void> {
  const connection = await RawMqtt.connect(mqttUrl, 'publisher');
  for (const [index, [topic, payload]] of messages.entries())
    connection.publish(topic, JSON.stringify(payload), { messageId: index + 1 });
  await connection.until(({ cmd, messageId }) => cmd === 'puback' && messageId === messages.length);
  connection.end();
}

/** A command that must succeed; what it printed. */
async function tidemark({ httpUrl }: PlatformProcess, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runTidemark([...args, '--url', httpUrl]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

async function get<T>({ httpUrl }: PlatformProcess, path: string): Promise<T> {
  const response = await fetch(`${httpUrl}/api/v1/${path}`);
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

async function placesOf({ httpUrl }: PlatformProcess, sensor: string): Promise<unknown[]> {
  return (await allReadings(httpUrl, `sensor=${sensor}`)).map(({ location }) => location);
}

const reading = (time: string, location?: string) => ({
  temperature: 21,
  time,
  ...(location && { location }),
});

it.each(['open', 'strict'])(
  'declared, moved in the past, and late: each reading is where its sensor was then (%s)',
  async (mode) => {
    const dataDir = await tempDir();
    const file = join(dataDir, 'registry.yaml');
    writeFileSync(file, declared);
    const env = { TIDEMARK_REGISTRY_MODE: mode };
    let platform = await start(dataDir, env);
    expect(await tidemark(platform, 'sensors', 'import', file, '--dry-run')).toContain('4 to be created');
    expect(await tidemark(platform, 'sensors', 'import', file)).toContain(
      '4 created, 0 updated, 0 unchanged',
    );
    expect(await tidemark(platform, 'sensors', 'import', file)).toBe('0 created, 0 updated, 4 unchanged\n');

    await publish(platform, [['sensors/s1', reading('2026-05-01T00:00:00Z', 'hall')]]);
    await tidemark(platform, 'sensors', 'move', 's1', 'yard', '--since', '2026-05-10T00:00:00Z');
    await publish(platform, [
      ['sensors/s1', reading('2026-05-11T00:00:00Z')],
      ['sensors/s1', reading('2026-05-09T23:59:59Z')],
      ['sensors/s1', reading('2026-05-12T00:00:00Z', 'yard')],
      // Not where it was then: stored where it was, or refused.
      ['sensors/s1', reading('2026-05-13T00:00:00Z', 'hall')],
      ['sensors/ghost', reading('2026-05-13T00:00:00Z', 'attic')],
    ]);
    const before = await get(platform, 'sensors/s1');

    await platform.end('SIGKILL');
    platform = await start(dataDir, env);
    expect(await get(platform, 'sensors/s1')).toEqual(before);
    await publish(platform, [['sensors/s1', reading('2026-05-02T00:00:00Z')]]);
    const isStrict = mode === 'strict';
    const expected = ['hall', 'hall', 'hall', 'yard', 'yard', ...(isStrict ? [] : ['yard'])];
    expect(await placesOf(platform, 's1')).toEqual(expected);
    expect(await placesOf(platform, 'ghost')).toEqual(isStrict ? [] : ['attic']);
    const refused = async () => {
      const { items } = await get<{ items: { reason: string; sensor: string }[] }>(platform, 'quarantine');
      return items.map(({ reason, sensor }) => `${sensor} ${reason}`).sort();
    };
    await expect.poll(refused).toEqual(isStrict ? ['ghost unknown_sensor', 's1 wrong_location'] : []);
  },
);

it('a refusal for want of registration is replayed once the sensor is registered', async () => {
  const platform = await start(await tempDir(), { TIDEMARK_REGISTRY_MODE: 'strict' });
  await publish(platform, [['sensors/new', reading('2026-05-01T00:00:00Z')]]);
  const list = () => get<{ items: { id: string }[] }>(platform, 'quarantine');
  await expect.poll(async () => (await list()).items.length).toBe(1);
  const { items } = await list();
  await tidemark(
    platform,
    'locations',
    'add',
    'hall',
    '--name',
    'Hall',
    '--latitude',
    '52',
    '--longitude',
    '13',
  );
  await tidemark(
    platform,
    'sensors',
    'add',
    'new',
    '--location',
    'hall',
    '--metric',
    'temperature:°C:-20:60',
  );
  const replay = await fetch(`${platform.httpUrl}/api/v1/quarantine/${items[0]!.id}/replay`, {
    method: 'POST',
  });
  expect(replay.status).toBe(200);
  expect(await placesOf(platform, 'new')).toEqual(['hall']);
});

it('a sensor that registered itself is listed, declared, renamed with its history, and removed', async () => {
  const dataDir = await tempDir();
  let platform = await start(dataDir);
  await publish(platform, [['sensors/gh1', reading('2026-05-01T00:00:00Z', 'hall')]]);
  expect(await tidemark(platform, 'sensors')).toMatch(
    /gh1 .* hall .* active .* temperature .* 2026-05-01T00:00:00Z/,
  );
  await tidemark(
    platform,
    'sensors',
    'set',
    'gh1',
    '--owner',
    'ops',
    '--label',
    'floor=2',
    '--expected-interval',
    '90s',
  );
  await tidemark(platform, 'sensors', 'rename', 'gh1', 'greenhouse-1');
  await publish(platform, [['sensors/gh1', reading('2026-05-02T00:00:00Z', 'hall')]]);
  await platform.end('SIGKILL');
  platform = await start(dataDir);
  await publish(platform, [['sensors/gh1', reading('2026-05-03T00:00:00Z', 'hall')]]);
  expect(await placesOf(platform, 'greenhouse-1')).toEqual(['hall', 'hall', 'hall']);
  expect(await placesOf(platform, 'gh1')).toEqual([]);
  const shown = JSON.parse(await tidemark(platform, 'sensors', 'show', 'gh1', '--json'));
  expect(shown).toMatchObject({
    id: 'greenhouse-1',
    formerIds: ['gh1'],
    owner: 'ops',
    labels: { floor: '2' },
    expectedInterval: '90s',
    selfRegistered: false,
    firstSeen: '2026-05-01T00:00:00Z',
    lastSeen: '2026-05-03T00:00:00Z',
  });
  const removed = await tidemark(platform, 'sensors', 'remove', 'greenhouse-1', '--data', 'delete');
  const points = Number(/^removed greenhouse-1; (\d+) values deleted\n$/.exec(removed)?.[1]);
  // With what the platform itself has stored of the sensor each minute.
  expect(points).toBeGreaterThanOrEqual(3);
  expect(await placesOf(platform, 'greenhouse-1')).toEqual([]);
  expect(await tidemark(platform, 'locations')).toMatch(/^hall +hall/m);
  await tidemark(platform, 'locations', 'remove', 'hall', '--note', 'torn down');
  const { items } = await get<{ items: Record<string, unknown>[] }>(platform, 'audit');
  expect(items).toMatchObject([
    { action: 'location.delete', target: { id: 'hall' }, actor: 'local', note: 'torn down' },
    { action: 'sensor.delete', target: { id: 'greenhouse-1' }, counts: { sensors: 1, points } },
    { action: 'sensor.rename', target: { from: 'gh1', to: 'greenhouse-1' } },
  ]);
  expect((items[2]!.counts as { points: number }).points).toBeGreaterThanOrEqual(1);
});

it('the command says what is wrong, by path, and changes nothing', async () => {
  const dataDir = await tempDir();
  const platform = await start(dataDir);
  const file = join(dataDir, 'registry.yaml');
  writeFileSync(
    file,
    'locations: [{id: hall, latitude: 91, longitude: 0}]\nsensors: [{id: s, location: nowhere}]\n',
  );
  const { code, stderr } = await runTidemark(['sensors', 'import', file, '--url', platform.httpUrl]);
  expect(code).toBe(1);
  expect(stderr).toContain('locations.0.latitude');
  expect(stderr).toContain('sensors.0.location: no location nowhere is registered');
  expect((await runTidemark(['sensors', '--url', platform.httpUrl])).stderr).toBe('nothing found\n');
});
