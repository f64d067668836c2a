import { once } from 'node:events';
import { NS_PER_SECOND, systemClock } from '@tidemark/core';
import { sortedTracks, travellerPoints } from '@tidemark/store/testing';
import { afterEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { HttpServer } from '../http-server.ts';
import { startTestPlatform } from '../testing/test-platform.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function start() {
  const platform = await startTestPlatform();
  undo.push(platform.stop);
  const server = new HttpServer({ config: platform.parts.config, app: platform.app });
  undo.push(() => server.stop());
  await server.start();
  // The clock stands, so that no window ends meanwhile.
  const nowNs = systemClock.nowNs();
  let sent: Parameters<typeof sortedTracks>[0] = [];
  const walk = async (traveller: string, steps: number) => {
    const positions = Array.from({ length: steps }, (_, step) => ({
      sensor: 'gate',
      type: 'pedestrian',
      traveller,
      timeNs: nowNs + BigInt(step) * NS_PER_SECOND,
      x: step * 2,
      y: 0,
    }));
    sent = [...sent, ...positions];
    const points = travellerPoints(sortedTracks(sent, 3600n * NS_PER_SECOND));
    await platform.engine.write(points);
    platform.journal.append(points);
  };
  return { url: `ws://127.0.0.1:${server.port}/api/v1/travellers/windows`, walk };
}

async function open(url: string) {
  const socket = new WebSocket(url);
  undo.push(() => socket.terminate());
  const counts: number[] = [];
  let wake = () => {};
  socket.on('message', (text) => {
    const { data } = JSON.parse(String(text)) as { data: { sensor: string; count: number } };
    expect(data.sensor).toBe('gate');
    if (data.count > 0) counts.push(data.count);
    wake();
  });
  await once(socket, 'open');
  const until = async (count: number) => {
    while (!counts.includes(count)) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { socket, until };
}

it('sends a window as it fills', async () => {
  const { url, walk } = await start();
  await walk('one', 3);
  const { until } = await open(`${url}?every=1d&type=pedestrian`);
  await until(1);
  await walk('two', 2);
  await until(2);
  await walk('three', 2);
  await until(3);
});

it('watches now, and no other time', async () => {
  const { url } = await start();
  const socket = new WebSocket(`${url}?from=now-1h`);
  const [, response] = await once(socket, 'unexpected-response');
  expect(response.statusCode).toBe(400);
});
