import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { initCredentials } from '../support/platform-with-token.ts';
import {
  deploy,
  flowsCheck,
  flowThatRuns,
  metricOf,
  startFlows,
  until,
} from '../support/supervised-flows.ts';
import { tempDir } from '../support/temp-dir.ts';

/** The status of an answer to a request with these headers, which `fetch` would not send. */
function statusOf(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });
}

/** Deploys them; what a deploy answers comes before its flows run. */
async function deployEndpoints(flowsUrl: string, session?: string, headers: Record<string, string> = {}) {
  await deploy(flowsUrl, endpoints, session);
  await until(
    async () => (await fetch(`${flowsUrl}/hello`, { headers })).status,
    (status) => status !== 404,
  );
}

/** `open`, or the status that refused it; the global WebSocket sends no headers of ours. */
function webSocket(url: string, headers: Record<string, string> = {}): Promise<'open' | number> {
  const handshake = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.from('sixteen bytes...').toString('base64'),
  };
  return new Promise((resolve, reject) => {
    request(url, { headers: { ...handshake, ...headers } })
      .on('upgrade', (_response, socket) => {
        socket.destroy();
        resolve('open');
      })
      .on('response', (response) => {
        response.resume();
        resolve(response.statusCode!);
      })
      .on('error', reject)
      .end();
  });
}

const endpoints = [
  { id: 'tab1', type: 'tab', label: 'test' },
  { id: 'web', type: 'http in', z: 'tab1', url: '/hello', method: 'get', wires: [['answer']] },
  { id: 'answer', type: 'http response', z: 'tab1', statusCode: '200', headers: {}, wires: [] },
  { id: 'listener', type: 'websocket-listener', path: '/socket', wholemsg: 'false' },
  { id: 'socket', type: 'websocket in', z: 'tab1', server: 'listener', wires: [[]] },
];

describe('the editor on loopback', () => {
  it('is there for this machine alone: foreign names and pages are refused, by HTTP and WebSocket', async () => {
    const { flowsUrl } = await startFlows();
    await deployEndpoints(flowsUrl);
    const own = { host: new URL(flowsUrl).host };
    const rebound = { host: 'attacker.example' };
    const foreign = { ...own, origin: 'http://attacker.example' };
    for (const path of ['/', '/flows', '/settings', '/hello']) {
      expect([path, await statusOf(flowsUrl + path, own)]).toEqual([path, 200]);
      expect([path, await statusOf(flowsUrl + path, rebound)]).toEqual([path, 403]);
      expect([path, await statusOf(flowsUrl + path, foreign)]).toEqual([path, 403]);
    }
    for (const path of ['/comms', '/socket']) {
      expect([path, await webSocket(flowsUrl + path)]).toEqual([path, 'open']);
      expect([path, await webSocket(flowsUrl + path, rebound)]).toEqual([path, 403]);
      expect([path, await webSocket(flowsUrl + path, { origin: foreign.origin })]).toEqual([path, 403]);
    }
    const page = await fetch(flowsUrl);
    expect(page.headers.get('x-frame-options')).toBe('SAMEORIGIN');
  });

  it('installs nothing, and its functions load no modules', async () => {
    const { flowsUrl } = await startFlows();
    const install = await fetch(`${flowsUrl}/nodes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ module: 'node-red-node-ping' }),
    });
    expect(install.status).toBe(404);
    const { externalModules, functionExternalModules } = (await (
      await fetch(`${flowsUrl}/settings`)
    ).json()) as Record<string, unknown>;
    expect(functionExternalModules).toBe(false);
    expect(externalModules).toMatchObject({
      autoInstall: false,
      palette: { allowInstall: false, allowUpload: false },
      modules: { allowInstall: false },
    });
    // Refused where it runs, not only in the editor.
    const [tab, inject, fn] = flowThatRuns('return { payload: os.hostname() };');
    const withModule = { ...fn, libs: [{ var: 'os', module: 'os' }] };
    const answer = { id: 'asks', type: 'http in', z: 'tab1', url: '/os', method: 'get', wires: [['fn1']] };
    await deploy(flowsUrl, [tab!, inject!, { ...withModule, wires: [['out']] }, answer, endpoints[2]!]);
    // Its function is not there to answer; with the module it would.
    await until(
      () =>
        fetch(`${flowsUrl}/os`, { signal: AbortSignal.timeout(1000) }).then(
          ({ status }) => status,
          () => 'no answer',
        ),
      (answer) => answer === 'no answer' || answer === 200,
    ).then((answer) => expect(answer).toBe('no answer'));
  });

  it('keeps flows, and their credentials encrypted with a key of its own, over a restart', async () => {
    const dataDir = await tempDir();
    const first = await startFlows({ dataDir });
    const request = {
      id: 'ask1',
      type: 'http request',
      z: 'tab1',
      method: 'GET',
      url: 'http://127.0.0.1:1',
      authType: 'basic',
      credentials: { user: 'somebody', password: 'in clear nowhere' },
      wires: [[]],
    };
    await deploy(first.flowsUrl, [endpoints[0]!, request]);
    expect(await first.platform.end('SIGTERM')).toBe(0);
    const kept = readFileSync(`${dataDir}/flows/flows_cred.json`, 'utf8');
    expect(kept).not.toContain('in clear nowhere');
    expect(readFileSync(`${dataDir}/secrets/flows-credentials-key`, 'utf8').length).toBeGreaterThan(32);

    const second = await startFlows({ dataDir });
    const flows = (await (await fetch(`${second.flowsUrl}/flows`)).json()) as { id: string }[];
    expect(flows.map(({ id }) => id)).toEqual(['tab1', 'ask1']);
    const credentials = await (await fetch(`${second.flowsUrl}/credentials/http-request/ask1`)).json();
    expect(credentials).toMatchObject({ user: 'somebody', has_password: true });
  });
});

describe('the editor beyond loopback', () => {
  it('asks everybody for the generated password: editor, admin API, HTTP nodes and WebSockets', async () => {
    const dataDir = await tempDir();
    const { token, flows } = await initCredentials(dataDir);
    const { platform, flowsUrl } = await startFlows({
      dataDir,
      env: { TIDEMARK_HOST: '0.0.0.0' },
      token: token.token,
    });
    const logIn = (password: string) =>
      fetch(`${flowsUrl}/auth/token`, {
        method: 'POST',
        body: new URLSearchParams({
          client_id: 'node-red-admin',
          grant_type: 'password',
          scope: '*',
          username: 'tidemark',
          password,
        }),
      });
    for (const path of ['/flows', '/settings', '/hello']) {
      expect([path, (await fetch(flowsUrl + path)).status]).toEqual([path, 401]);
    }
    expect((await logIn('tidemark')).status).toBe(403);
    const { access_token: session } = (await (await logIn(flows.password)).json()) as Record<string, string>;
    const basic = (password: string) => ({
      authorization: `Basic ${Buffer.from(`tidemark:${password}`).toString('base64')}`,
    });
    await deployEndpoints(flowsUrl, session, basic(flows.password));

    expect((await fetch(`${flowsUrl}/hello`)).status).toBe(401);
    expect((await fetch(`${flowsUrl}/hello`, { headers: basic('wrong') })).status).toBe(401);
    expect((await fetch(`${flowsUrl}/hello`, { headers: basic(flows.password) })).status).toBe(200);
    expect(await webSocket(`${flowsUrl}/socket`)).toBe(401);
    expect(await webSocket(`${flowsUrl}/socket`, basic(flows.password))).toBe('open');
    // The editor's own WebSocket opens, and tells nothing before it is given a session.
    const refused = await new Promise<string>((resolve) => {
      const socket = new WebSocket(`${flowsUrl.replace('http', 'ws')}/comms`);
      socket.addEventListener('open', () => socket.send(JSON.stringify({ subscribe: 'status/#' })));
      socket.addEventListener('message', ({ data }) => resolve(String(data)));
    });
    expect(JSON.parse(refused)).toEqual({ auth: 'fail' });
    await until(
      () => metricOf(platform, 'tidemark_flows_up', token.token),
      (up) => up === 1,
    );

    // Its own nodes come in by what the platform gave them: one that was not let in would go to no answer.
    const server = { id: 'server', type: 'tidemark-server', version: 1, name: '', apiUrl: '', mqttUrl: '' };
    const shared = { z: 'tab1', server: 'server', version: 1, name: '' };
    const command = {
      ...{ id: 'tell', type: 'tidemark-command', ...shared, topic: 'commands/door', payload: 'OPEN' },
      ...{ retain: false, confirm: false, confirmTopic: '', confirmPayload: '', timeout: '5s' },
      wires: [['ask']],
    };
    const query = {
      ...{
        id: 'ask',
        type: 'tidemark-query',
        ...shared,
        what: 'latest',
        metric: '',
        sensor: '',
        location: '',
      },
      ...{ from: 'now-1h', to: 'now', every: '10m', fn: 'mean', by: 'sensor', fill: '', tz: '' },
      wires: [['answer']],
    };
    const [tab, web, ...rest] = endpoints;
    await deploy(flowsUrl, [tab!, server, { ...web, wires: [['tell']] }, command, query, ...rest], session);
    const headers = basic(flows.password);
    await until(
      () =>
        fetch(`${flowsUrl}/hello`, { headers, signal: AbortSignal.timeout(2000) }).then(
          (response) => response.text(),
          () => 'no answer',
        ),
      (text) => text === '[]',
    );
  });
});

it('a port that is taken is told with what to do, keeps nothing else from running, and is tried again', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => squatter.once('listening', resolve));
  onTestFinished(() => void squatter.close());
  const { port } = squatter.address() as { port: number };
  const { platform } = await startFlows({ env: { TIDEMARK_FLOWS_PORT: String(port) }, isAwaited: false });
  const { status, message } = await until(
    () => flowsCheck(platform),
    ({ status }) => status === 'fail',
  );
  expect([status, message]).toEqual([
    'fail',
    expect.stringMatching(new RegExp(`port ${port} on 127.0.0.1 is in use.*TIDEMARK_FLOWS_PORT`)),
  ]);
  expect((await fetch(`${platform.httpUrl}/ready`)).status).toBe(200);
  await new Promise((resolve) => squatter.close(resolve));
  await until(
    () => flowsCheck(platform),
    ({ message }) => message.startsWith(`Node-RED on port ${port}`),
  );
  expect(await metricOf(platform, 'tidemark_flows_restarts_total{reason="start"}')).toBeGreaterThan(0);
});

it('flows that take more memory than they may are restarted, counted as such', async () => {
  const { platform, flowsUrl } = await startFlows({
    env: { TIDEMARK_FLOWS_MAX_MEMORY_BYTES: String(96 * 1024 * 1024) },
  });
  await deploy(
    flowsUrl,
    flowThatRuns('const kept = []; for (;;) kept.push(new Array(1e5).fill(kept.length + 0.5));'),
  );
  await until(
    () => metricOf(platform, 'tidemark_flows_restarts_total{reason="memory"}'),
    (count) => count > 0,
  );
  expect((await fetch(`${platform.httpUrl}/ready`)).status).toBe(200);
});
