import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type PlatformProcess, runTidemark, startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

let platform: PlatformProcess;

async function start(env: Record<string, string> = {}): Promise<string> {
  const dataDir = await tempDir();
  platform = await startPlatform({ dataDir, env });
  onTestFinished(async () => void (await platform.end('SIGKILL')));
  return dataDir;
}

async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${platform.httpUrl}/api/v1/${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const json = (await response.json()) as Record<string, unknown> & { items: Record<string, unknown>[] };
  return { status: response.status, etag: response.headers.get('etag') ?? '', json };
}

async function record(...readings: object[]): Promise<void> {
  expect((await ask('POST', 'readings', readings)).status).toBe(200);
}

async function tidemark(...args: string[]) {
  return runTidemark([...args, '--url', platform.httpUrl]);
}

const hot = { id: 'hot', metric: 'temperature', above: 30 };

it('rules are created, changed and deleted with ETags, and refused with every fault and its path', async () => {
  await start();
  expect(await ask('POST', 'rules', { ...hot, clear: 31, for: '-2m' })).toMatchObject({
    status: 400,
    json: {
      code: 'bad_request',
      errors: [
        { path: 'for', message: 'must not be negative: -2m' },
        { path: 'clear', message: 'must not be above 30, where the alert begins' },
      ],
    },
  });
  expect(await ask('POST', 'rules', hot)).toMatchObject({
    status: 400,
    json: { errors: [{ path: 'metric', message: 'no registered sensor has a metric temperature' }] },
  });
  await record({ sensor: 's1', temperature: 20 });
  const created = await ask('POST', 'rules', hot);
  expect(created).toMatchObject({ status: 201, json: { ...hot, source: 'api' } });
  expect(await ask('POST', 'rules', hot)).toMatchObject({
    status: 409,
    json: { code: 'conflict', errors: [{ path: 'id', message: 'is taken' }] },
  });
  expect(await ask('POST', 'alerts', { rule: 'hot', sensor: 's1' })).toMatchObject({
    status: 409,
    json: { code: 'conflict', errors: [{ path: 'rule', message: 'is the id of a rule' }] },
  });
  expect((await ask('PUT', 'rules/hot', { ...hot, above: 25 })).status).toBe(428);
  const replaced = await ask('PUT', 'rules/hot', { ...hot, above: 25 }, { 'if-match': created.etag });
  expect(replaced).toMatchObject({ status: 200, json: { above: 25 } });
  expect((await ask('PATCH', 'rules/hot', { clear: 24 }, { 'if-match': created.etag })).status).toBe(412);
  expect(await ask('PATCH', 'rules/hot', { clear: 24 })).toMatchObject({
    status: 200,
    json: { above: 25, clear: 24 },
  });
  expect((await ask('PATCH', 'rules/hot', { clear: 26 })).status).toBe(400);
  expect((await ask('PUT', 'rules/other', hot)).json).toMatchObject({ errors: [{ path: 'id' }] });
  expect((await ask('DELETE', 'rules/hot')).status).toBe(200);
  expect((await ask('GET', 'rules/hot')).status).toBe(404);
  expect((await ask('GET', 'audit')).json.items.map(({ action }) => action)).toEqual([
    'rule.delete',
    'rule.change',
    'rule.change',
    'rule.create',
  ]);
});

it('a dry run tells how often a rule would have fired, and what was told of it is what happens then', async () => {
  await start();
  const at = (minute: number) => new Date(Date.parse('2026-05-01T12:00:00Z') + minute * 60_000).toISOString();
  const values = [29, 31, 32, 29.5, 27, 31, 33, 34, 20];
  await record(...values.map((temperature, minute) => ({ sensor: 's1', temperature, time: at(minute) })), {
    sensor: 's2',
    temperature: 99,
    time: at(0),
  });
  const rule = { ...hot, sensors: 's1', clear: 28, for: '1m' };
  const range = `from=${at(0)}&to=${at(60)}`;
  expect(await ask('POST', `rules/dry-run?${range}`, rule)).toMatchObject({
    status: 200,
    json: {
      readings: 9,
      firings: 2,
      sensors: [
        {
          sensor: 's1',
          firings: 2,
          firingSeconds: 240,
          first: '2026-05-01T12:02:00Z',
          last: '2026-05-01T12:06:00Z',
        },
      ],
      cutOff: null,
    },
  });
  const absent = { id: 'gone', sensors: 's*', absent: '30m' };
  expect((await ask('POST', `rules/dry-run?${range}`, absent)).json).toMatchObject({ firings: 2 });
  expect((await ask('POST', 'rules/dry-run', { id: 'q', quality: 'any' })).status).toBe(400);
  expect((await ask('POST', 'rules/dry-run', { ...rule, clear: 99 })).status).toBe(400);
  expect((await ask('GET', 'rules')).json.items).toEqual([]);
});

it('rules of the configuration file hold from the start, are read again when it changes, and wrong ones do not', async () => {
  const folder = await tempDir();
  const file = join(folder, 'tidemark.yaml');
  const write = (text: string): void => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  write('rules:\n  - {id: hot, metric: temperature, above: 30, message: first}\n');
  await start({ TIDEMARK_CONFIG: file });
  const rules = async () =>
    (await ask('GET', 'rules')).json.items.map(({ id, above, source }) => [id, above, source]);
  expect(await rules()).toEqual([['hot', 30, 'file']]);
  expect((await ask('PATCH', 'rules/hot', { above: 31 })).status).toBe(409);
  expect((await ask('DELETE', 'rules/hot')).status).toBe(409);
  await record({ sensor: 's1', temperature: 40 });
  const alerts = async () => (await ask('GET', 'alerts')).json.items.map(({ id, state }) => [id, state]);
  await expect.poll(alerts).toEqual([['hot:s1', 'firing']]);

  write(
    'rules:\n  - {id: hot, metric: temperature, above: 30, clear: 31}\n  - {id: cold, metric: temperature, below: 5}\n',
  );
  const fault = async () => {
    const { checks } = (await (await fetch(`${platform.httpUrl}/health`)).json()) as {
      checks: Record<string, string>[];
    };
    return checks.find(({ name }) => name === 'rules file')?.message;
  };
  await expect
    .poll(fault, { timeout: 10_000 })
    .toMatch(/rules and channels from before hold on: rules\.0\.clear: must not be above/);
  expect(await rules()).toEqual([['hot', 30, 'file']]);
  write(
    'rules:\n  - {id: hot, metric: temperature, above: 30, message: second}\n  - {id: cold, metric: temperature, below: 5}\n',
  );
  await expect.poll(rules, { timeout: 10_000 }).toEqual([
    ['cold', undefined, 'file'],
    ['hot', 30, 'file'],
  ]);
  // It asks the same as before: what fires goes on firing.
  expect(await alerts()).toEqual([['hot:s1', 'firing']]);
  write('rules: []\n');
  await expect.poll(rules, { timeout: 10_000 }).toEqual([]);
  expect(await alerts()).toEqual([]);
  expect((await ask('GET', 'alerts/history')).json.items).toMatchObject([
    { state: 'resolved', comment: 'the rule was deleted' },
    { state: 'firing' },
  ]);
});

it('alerts are silenced, by hand and by a sensor in maintenance, and resolved by hand', async () => {
  await start();
  await record({ sensor: 's1', temperature: 20 }, { sensor: 's2', temperature: 20 });
  await ask('POST', 'rules', { ...hot, notify: ['ops'] });
  const made = await ask('POST', 'alerts/silences', { sensor: 's1*', until: 'now+1h', by: 'ann' });
  expect(made).toMatchObject({ status: 201, json: { sensor: 's1*', by: 'ann' } });
  expect((await ask('POST', 'alerts/silences', { until: 'now-1h' })).json).toMatchObject({
    errors: [{ path: 'until' }],
  });
  await record({ sensor: 's1', temperature: 31 }, { sensor: 's2', temperature: 31 });
  const alerts = async () => (await ask('GET', 'alerts')).json.items.map(({ id, state }) => [id, state]);
  await expect.poll(alerts).toEqual([
    ['hot:s1', 'silenced'],
    ['hot:s2', 'firing'],
  ]);
  await ask('PATCH', 'sensors/s2', { state: 'maintenance' });
  await expect.poll(alerts).toEqual([
    ['hot:s1', 'silenced'],
    ['hot:s2', 'silenced'],
  ]);
  expect((await ask('DELETE', `alerts/silences/${made.json.id}`)).status).toBe(200);
  expect(await alerts()).toEqual([
    ['hot:s1', 'firing'],
    ['hot:s2', 'silenced'],
  ]);
  const notified = async () =>
    (await ask('GET', 'alerts/history')).json.items.map(({ sensor, state, notifies }) => [
      sensor,
      state,
      notifies,
    ]);
  expect((await notified()).reverse()).toEqual([
    ['s1', 'silenced', false],
    ['s2', 'firing', true],
    ['s2', 'silenced', false],
    ['s1', 'firing', true],
  ]);
  expect(await ask('POST', 'alerts/hot:s1/resolve', {})).toMatchObject({ json: { state: 'resolved' } });
  expect((await ask('POST', 'alerts/hot:s1/ack', {})).status).toBe(409);
  expect((await ask('POST', 'alerts/hot:s9/ack', {})).status).toBe(404);
  await record({ sensor: 's1', temperature: 32 });
  await record({ sensor: 's1', temperature: 20 });
  await record({ sensor: 's1', temperature: 33 });
  await expect
    .poll(async () => (await ask('GET', 'alerts/hot:s1')).json)
    .toMatchObject({ state: 'firing', value: 33 });
});

it('the command line takes rules from a file, plays and removes them, and acknowledges', async () => {
  const folder = await tempDir();
  const file = join(folder, 'rules.yaml');
  await start();
  await record({ sensor: 's1', temperature: 31 });
  writeFileSync(
    file,
    'rules:\n  - {id: hot, metric: temperature, above: 30, clear: 31}\n  - {id: x, above: 1}\n',
  );
  const refused = await tidemark('rules', 'import', file);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('rules.0.clear: must not be above 30');
  expect(refused.stderr).toContain('rules.1.metric: is missing');
  writeFileSync(file, 'rules:\n  - {id: hot, metric: temperature, above: 30}\n');
  expect(await tidemark('rules', 'import', file)).toMatchObject({
    code: 0,
    stdout: '1 created, 0 replaced\n',
  });
  expect(await tidemark('rules', 'import', file)).toMatchObject({
    code: 0,
    stdout: '0 created, 1 replaced\n',
  });
  const misspelt = join(folder, 'misspelt.yaml');
  writeFileSync(misspelt, 'rules:\n  - {id: y, metric: temprature, above: 30}\n');
  expect(await tidemark('rules', 'validate', misspelt)).toMatchObject({
    code: 0,
    stdout: 'rules.0.metric: no registered sensor has a metric temprature\n1 rules, no fault, 1 warning\n',
  });
  expect((await tidemark('rules', 'dry-run', file)).stdout).toMatch(/^rule +readings +firings.*\nhot +1 +1 /);
  expect((await tidemark('rules')).stdout).toMatch(/hot +temperature +above 30/);
  await record({ sensor: 's1', temperature: 32 });
  const listed = async () => (await tidemark('alerts')).stdout;
  await expect.poll(listed, { timeout: 20_000 }).toMatch(/hot:s1 +firing +32/);
  const acked = await tidemark('alerts', 'ack', 'hot:s1', '--by', 'ann', '--comment', 'on my way');
  expect(acked).toMatchObject({ code: 0, stdout: 'hot:s1 is acknowledged\n' });
  expect((await tidemark('alerts', 'history', '--state', 'acknowledged')).stdout).toMatch(/ann +on my way/);
  expect(await tidemark('rules', 'remove', 'hot')).toMatchObject({ code: 0, stdout: 'hot is deleted\n' });
});

it('changes of alerts are told live, and resumed behind the last that was seen', async () => {
  await start();
  await record({ sensor: 's1', temperature: 20 });
  await ask('POST', 'rules', hot);
  const firstState = async (headers: Record<string, string> = {}): Promise<string> => {
    const url = `${platform.httpUrl}/api/v1/alerts/live`;
    const { body } = await fetch(url, { headers });
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of body!) {
      text += decoder.decode(chunk, { stream: true });
      const found = /data: (.*)\n/.exec(text);
      // It says where it is before anything else; only then may something happen that it has to tell.
      if (!found && text.includes('id: 0')) await record({ sensor: 's1', temperature: 31 });
      if (!found && text.includes('id: 2\n')) await record({ sensor: 's1', temperature: 19 });
      if (found) return JSON.parse(found[1]!).state as string;
    }
    throw new Error('the stream ended');
  };
  expect(await firstState()).toBe('firing');
  expect((await ask('POST', 'alerts/hot:s1/ack')).json.acknowledged).toMatchObject({ by: 'local' });
  expect(await firstState({ 'last-event-id': '1' })).toBe('acknowledged');
  // Of a platform that has told more: as after a restore.
  expect(await firstState({ 'last-event-id': '999' })).toBe('resolved');
});
