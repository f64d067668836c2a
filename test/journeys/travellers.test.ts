import { Crowd, type CrowdPosition, messagesOf, Publisher } from '@tidemark/cli';
import { formatTime, NS_PER_SECOND } from '@tidemark/core';
import {
  bruteForceStays,
  bruteForceWindows,
  rounded,
  type SentPosition,
  sortedTracks,
} from '@tidemark/store/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type NewStore, onBothStores } from '../support/both-stores.ts';
import { startPlatformInProcess } from '../support/platform-in-process.ts';

// The main job: an hour of 50 cameras and 20 000 travellers, shuffled and with duplicates, by MQTT at QoS 1.

const hourNs = 3600n * NS_PER_SECOND;
const cameras = 50;
const travellers = 20_000;
const frameMs = 4000;
const startNs = 1_777_636_800n * NS_PER_SECOND;
const endNs = startNs + hourNs;
const gapNs = hourNs;

const seen = crowd();
const shuffled = shuffle([...seen, ...seen.filter((_, index) => index % 20 === 0)]);
const tracks = sortedTracks(seen.map(sent), gapNs);

onBothStores(journey);

function journey(newStore: NewStore): void {
  let platform: Awaited<ReturnType<typeof startPlatformInProcess>>;

  beforeAll(async () => {
    platform = await startPlatformInProcess(await newStore());
    const publisher = new Publisher({
      connection: {
        url: `mqtt://127.0.0.1:${platform.address.mqttPort}`,
        username: undefined,
        password: undefined,
      },
      qos: 1,
      maxInFlight: 500,
    });
    await publisher.start();
    for (let at = 0; at < shuffled.length; at += 10_000)
      for (const { topic, payload } of messagesOf(shuffled.slice(at, at + 10_000)))
        await publisher.publish(topic, payload);
    await publisher.drain();
    await publisher.stop();
    await caughtUp(platform.address.httpPort);
  }, 180_000);

  afterAll(() => platform?.stop(), 60_000);

  it.each([
    ['by the minute', '1m', '1m'],
    ['five minutes, each minute', '1m', '5m'],
    ['by 7 s', '7s', '7s'],
    ['two hours, each half hour', '30m', '2h'],
  ])('its windows are those of the sorted positions: %s', async (_, every, window) => {
    const query = {
      fromNs: startNs,
      toNs: endNs,
      everyNs: lengths[every]!,
      lengthNs: lengths[window]!,
      gapNs,
      sensors: ['camera-7', 'camera-31'],
    };
    const found = await get(platform.address.httpPort, 'travellers/windows', {
      sensor: 'camera-7,camera-31',
      every,
      window,
    });
    const expected = bruteForceWindows(tracks, query);
    expect(expected.length).toBeGreaterThan(0);
    expect(rounded(found.items as Windowed[])).toEqual(
      rounded(expected).map(({ timeNs, ...values }) => ({ time: formatTime(timeNs), ...values })),
    );
  });

  it('all cameras together count every traveller', async () => {
    const { items } = await get(platform.address.httpPort, 'travellers/windows', {
      every: '1h',
      window: '1h',
    });
    const query = { fromNs: startNs, toNs: endNs, everyNs: hourNs, lengthNs: hourNs, gapNs };
    expect(rounded(items as Windowed[])).toEqual(
      rounded(bruteForceWindows(tracks, query)).map(({ timeNs, ...values }) => ({
        time: formatTime(timeNs),
        ...values,
      })),
    );
  });

  it.each(['asc', 'desc'])(
    'its stays are those of the sorted positions, page by page (%s)',
    async (order) => {
      const query = { fromNs: startNs, toNs: endNs, sensors: ['camera-12'] };
      const expected = rounded(bruteForceStays(tracks, query)).map(({ entryNs, exitNs, ...stay }) => ({
        ...stay,
        entry: formatTime(entryNs),
        exit: formatTime(exitNs),
      }));
      const found: unknown[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page = await get(platform.address.httpPort, 'travellers', {
          sensor: 'camera-12',
          order,
          limit: String(Math.ceil(expected.length / 3)),
          ...(cursor === '' ? {} : { cursor }),
        });
        found.push(...page.items);
        cursor = page.next;
      }
      expect(rounded(found as Windowed[])).toEqual(order === 'asc' ? expected : expected.toReversed());
    },
  );
}

interface Windowed {
  meanSpeed: number | null;
}

const lengths: Record<string, bigint> = {
  '1m': 60n * NS_PER_SECOND,
  '5m': 300n * NS_PER_SECOND,
  '7s': 7n * NS_PER_SECOND,
  '30m': 1800n * NS_PER_SECOND,
  '2h': 7200n * NS_PER_SECOND,
};

function crowd(): CrowdPosition[] {
  const all = new Crowd({ cameras, travellersPerHour: travellers, frameMs, seed: 7, startNs });
  const positions: CrowdPosition[] = [];
  for (let frame = 0; frame < 3_600_000 / frameMs; frame++) for (const one of all.next()) positions.push(one);
  return positions;
}

function sent({ camera, ...position }: CrowdPosition): SentPosition {
  return { sensor: camera, ...position };
}

/** The same order each time: by the bits of a product, which no later position knows of. */
function shuffle<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item, index) => ({ item, key: Math.imul(index + 1, 0x9e37_79b1) >>> 0 }))
    .sort((one, other) => one.key - other.key)
    .map(({ item }) => item);
}

/** Queries wait for what was acknowledged, for 250 ms at a time. */
async function caughtUp(httpPort: number): Promise<void> {
  for (;;) {
    const response = await fetch(
      `http://127.0.0.1:${httpPort}/api/v1/travellers/windows?every=1h&sensor=none`,
    );
    await response.body?.cancel();
    if (response.headers.get('tidemark-lag-ms') === null) return;
  }
}

async function get(
  httpPort: number,
  route: string,
  parameters: Record<string, string>,
): Promise<{ items: unknown[]; next: string | null }> {
  const range = { from: formatTime(startNs), to: formatTime(endNs) };
  const url = `http://127.0.0.1:${httpPort}/api/v1/${route}?${new URLSearchParams({ ...range, ...parameters })}`;
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return response.json();
}
