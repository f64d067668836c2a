import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics, type ExternalAlert, loadConfig, type Point, silentLogger } from '@tidemark/core';
import { openMetaDb } from '@tidemark/store';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HeartbeatService } from './heartbeat-service.ts';

let folder: string;
let nowMs: number;
let told: { sensor: string | undefined; isFiring: boolean; message: string }[];
let points: Point[];
let parts: { name: string; status: 'pass' | 'fail'; message: string }[];
let server: Server;
const running: HeartbeatService[] = [];

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  folder = mkdtempSync(join(tmpdir(), 'tidemark-heartbeats-'));
  [nowMs, told, points] = [0, [], []];
  parts = [{ name: 'spool', status: 'pass', message: '' }];
  server = createServer((_request, response) => response.end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const service of running.splice(0)) await service.stop();
  vi.useRealTimers();
  server.close();
  rmSync(folder, { recursive: true });
});

async function start(settings: Record<string, unknown> = {}): Promise<HeartbeatService> {
  const service = new HeartbeatService({
    config: loadConfig({ overrides: { 'heartbeats.timeoutMs': 10_000, ...settings } }),
    clock: { nowNs: () => 1_000_000_000n + BigInt(nowMs) * 1_000_000n, monotonicMs: () => nowMs },
    logger: silentLogger,
    metrics: createMetrics(),
    db: openMetaDb(join(folder, 'meta.db')),
    log: { append: async (given) => void points.push(...given) },
    alerts: () => ({ take: (alerts) => alerts.map(keepTold), alerts: () => [] }),
    parts: () => parts,
  });
  await service.start();
  running.push(service);
  return service;
}

/** Alerts that ended and were never raised are nobody's. */
function keepTold({ sensor, isFiring, message }: ExternalAlert): undefined {
  const isKnown = told.some((one) => one.sensor === sensor);
  if (isFiring || isKnown) told.push({ sensor, isFiring, message });
}

function pass(ms: number): void {
  for (const endMs = nowMs + ms; nowMs < endMs; ) {
    nowMs += 1000;
    vi.advanceTimersByTime(1000);
  }
}

function stateOf(service: HeartbeatService, name: string): boolean | undefined {
  return service.services().find((one) => one.service === name)?.isUp;
}

it('tells once that a service is silent, and once that it is back', async () => {
  const heartbeats = await start();
  await heartbeats.beat({ service: 'billing', latencyMs: 3 });
  pass(10_000);
  expect(told).toEqual([]);
  pass(30_000);
  expect(told).toEqual([
    { sensor: 'billing', isFiring: true, message: '{sensor} is down: no heartbeat for 11 s' },
  ]);
  expect(stateOf(heartbeats, 'billing')).toBe(false);
  await heartbeats.beat({ service: 'billing' });
  await heartbeats.beat({ service: 'billing' });
  pass(5000);
  expect(told.map(({ isFiring }) => isFiring)).toEqual([true, false]);
  const written = points.filter(({ tags }) => tags[0]![1] === 'billing');
  expect(written.map(({ fields }) => fields)).toEqual([
    [
      ['latency_ms', 3],
      ['up', 1],
    ],
    [['up', 0]],
    [['up', 1]],
    [['up', 1]],
  ]);
});

it('takes the time that a service asks for, also after a restart', async () => {
  const before = await start();
  await before.beat({ service: 'slow', timeoutMs: 60_000 });
  await before.stop();
  nowMs += 3_600_000;
  const heartbeats = await start();
  pass(60_000);
  expect(stateOf(heartbeats, 'slow')).toBe(true);
  pass(2000);
  expect(stateOf(heartbeats, 'slow')).toBe(false);
  expect(told).toHaveLength(1);
});

it('forgets a service, with its alert', async () => {
  const heartbeats = await start();
  await heartbeats.beat({ service: 'gone' });
  pass(12_000);
  expect(heartbeats.forget('gone')).toBe(true);
  expect(heartbeats.forget('gone')).toBe(false);
  expect(told.at(-1)).toMatchObject({ sensor: 'gone', isFiring: false });
  await heartbeats.stop();
  expect(stateOf(await start(), 'gone')).toBeUndefined();
});

it('looks at addresses and at its own parts', async () => {
  const { port } = server.address() as AddressInfo;
  const checks = [
    `web=http://127.0.0.1:${port}/health`,
    `socket=tcp://127.0.0.1:${port}`,
    'nobody=tcp://127.0.0.1:1',
    'rpc=grpc://127.0.0.1:1/some.Service',
  ];
  const heartbeats = await start({ 'heartbeats.checks': checks });
  await vi.waitFor(() => expect(heartbeats.services()).toHaveLength(5));
  // One failure is none.
  expect(heartbeats.services().every(({ isUp }) => isUp)).toBe(true);
  parts[0] = { name: 'spool', status: 'fail', message: 'the disk is full' };
  await vi.waitFor(() => {
    pass(15_000);
    const down = heartbeats.services().filter(({ isUp }) => !isUp);
    expect(down.map(({ service }) => service)).toEqual(['nobody', 'rpc', 'tidemark.spool']);
  });
  parts[0] = { name: 'spool', status: 'pass', message: '' };
  await vi.waitFor(() => {
    pass(15_000);
    expect(told.filter(({ sensor }) => sensor === 'tidemark.spool').map(({ isFiring }) => isFiring)).toEqual([
      true,
      false,
    ]);
  });
  expect(told.filter(({ sensor }) => sensor === 'nobody')).toHaveLength(1);
});

it('refuses what is no heartbeat', async () => {
  const heartbeats = await start({ 'heartbeats.maxServices': 2 });
  await expect(heartbeats.beat({ service: 'a/b' })).rejects.toMatchObject({
    code: 'bad_request',
    issues: [{ path: 'service' }],
  });
  await expect(heartbeats.beat({ service: 'a', timeoutMs: 5 })).rejects.toThrow('timeout_ms');
  await vi.waitFor(() => expect(heartbeats.services()).toHaveLength(1));
  await expect(heartbeats.beat({ service: 'tidemark.spool' })).rejects.toMatchObject({ code: 'conflict' });
  await heartbeats.beat({ service: 'a' });
  await expect(heartbeats.beat({ service: 'b' })).rejects.toMatchObject({ code: 'unavailable' });
});
