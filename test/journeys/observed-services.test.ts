import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Prometheus, startPrometheus } from '../grafana/prometheus.ts';
import { findProgram } from '../support/find-program.ts';
import { startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

const tidemark = fileURLToPath(new URL('../../cli/bin/tidemark.js', import.meta.url));
const prometheusPath = findProgram('prometheus');
const promtool = findProgram('promtool');
const hasTools = requireTool('prometheus', prometheusPath) && requireTool('promtool', promtool);
const patience = { timeout: 50_000, interval: 500 };
const rounds = 30;

describe.skipIf(!hasTools)('tidemark example observed-services', () => {
  it('is counted by Prometheus, from both sides, as often as it calls; every /metrics is clean', async () => {
    const platform = await startPlatform({ dataDir: await tempDir() });
    onTestFinished(async () => void (await platform.end('SIGTERM')));
    const { ready, done } = await startExample(`127.0.0.1:${platform.grpcPort}`);
    const { host: platformHost } = new URL(platform.httpUrl);
    const jobs = { services: ready.targets, platform: [platformHost] };
    const prometheus = await startPrometheus(prometheusPath!, jobs);

    expect(await done).toMatchObject({ greeted: 27, refused: 3, beats: 60, lostBeats: 0 });
    const edge = 'tidemark.example.v1.EdgeService';
    const name = 'tidemark.example.v1.NameService';
    // An empty name is refused before the time is asked for.
    const expected = {
      [`${edge}/Greet OK`]: 27,
      [`${edge}/Greet InvalidArgument`]: 3,
      [`${edge}/Beat OK`]: 60,
      [`${name}/Reverse OK`]: 27,
      [`${name}/Reverse InvalidArgument`]: 3,
      'tidemark.example.v1.TimeService/Now OK': 27,
      'tidemark.v1.HeartbeatService/Beat OK': 60,
    };
    await vi.waitFor(async () => {
      expect(await countsOf(prometheus, 'grpc_client_handled_total')).toEqual(expected);
      expect(await countsOf(prometheus, 'grpc_server_handled_total')).toEqual(expected);
    }, patience);
    for (const side of ['client', 'server']) {
      const calls = sumOf(expected);
      const answered = sumOf(
        Object.fromEntries(Object.entries(expected).filter(([key]) => key.endsWith(' OK'))),
      );
      const [received, sent] = side === 'client' ? [answered, calls] : [calls, answered];
      expect(await totalOf(prometheus, `grpc_${side}_started_total`)).toBe(calls);
      expect(await totalOf(prometheus, `grpc_${side}_handling_seconds_count`)).toBe(calls);
      expect(await totalOf(prometheus, `grpc_${side}_msg_received_total`)).toBe(received);
      expect(await totalOf(prometheus, `grpc_${side}_msg_sent_total`)).toBe(sent);
    }

    const services = await (await fetch(`${platform.httpUrl}/api/v1/heartbeats`)).json();
    const names = services.items.map(({ service }: { service: string }) => service);
    expect(names).toEqual(expect.arrayContaining(['example-name', 'example-time']));
    for (const target of [...ready.targets, platformHost]) await expectClean(`http://${target}/metrics`);
  });

  it('shows the heartbeats that no platform takes as errors of the same code on both sides', async () => {
    const { ready, done } = await startExample('127.0.0.1:9');
    expect(await done).toMatchObject({ greeted: 27, beats: 0, lostBeats: 60 });
    const [edgeTarget, timeTarget] = ready.targets;
    const edgeMetrics = await (await fetch(`http://${edgeTarget}/metrics`)).text();
    expect(edgeMetrics).toMatch(/grpc_server_handled_total\{.*method="Beat",.*code="Unavailable"\} 60\n/);
    expect(edgeMetrics).toMatch(/grpc_client_handled_total\{.*method="Beat",.*code="Unavailable"\} 60\n/);
    const timeMetrics = await (await fetch(`http://${timeTarget}/metrics`)).text();
    expect(timeMetrics).toMatch(/grpc_client_handled_total\{.*method="Beat",.*code="Unavailable"\} 30\n/);
  });
});

interface Ready {
  targets: string[];
}

async function startExample(address: string) {
  const args = ['example', 'observed-services', '--address', address, '--port', '0', '--metrics-port', '0'];
  const child = spawn(
    process.execPath,
    [tidemark, ...args, '--every-ms', '20', '--count', String(rounds), '--json'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  onTestFinished(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value as string);
  const ready = (await next()) as Ready;
  return { ready, done: next() };
}

/** Ended calls by `service/method code`; those of the platform that are not the example's are left out. */
async function countsOf(prometheus: Prometheus, metric: string): Promise<Record<string, number>> {
  const series = await prometheus.query(`sum by (grpc_service, grpc_method, grpc_code) (${metric}) > 0`);
  return Object.fromEntries(
    series.map(({ tags, values }) => [
      `${tags!.grpc_service}/${tags!.grpc_method} ${tags!.grpc_code}`,
      Number(values[0]![1]),
    ]),
  );
}

async function totalOf(prometheus: Prometheus, metric: string): Promise<number> {
  const [series] = await prometheus.query(`sum(${metric})`);
  return Number(series!.values[0]![1]);
}

function sumOf(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** `promtool check metrics` finds nothing to say. */
async function expectClean(url: string): Promise<void> {
  const text = await (await fetch(url)).text();
  const said = await new Promise<string>((resolve) => {
    const child = execFile(promtool!, ['check', 'metrics'], (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
    child.stdin!.end(text);
  });
  expect(said, url).toBe('');
}
