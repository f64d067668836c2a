import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseTime } from '@tidemark/core';
import { expect, it, onTestFinished } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { startPlatformInProcess } from '../support/platform-in-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';

async function start(mappings: unknown[]) {
  const platform = await startPlatformInProcess({}, { mappings });
  onTestFinished(() => platform.stop());
  const { httpPort, mqttPort } = platform.address;
  const httpUrl = `http://127.0.0.1:${httpPort}`;
  const connect = async (clientId: string) => {
    const connection = await RawMqtt.connect(`mqtt://127.0.0.1:${mqttPort}`, clientId);
    onTestFinished(() => void connection.socket.destroy());
    return connection;
  };
  return { httpUrl, connect };
}

const ackOf = (messageId: number) => (packet: { cmd: string; messageId?: number | undefined }) =>
  packet.cmd === 'puback' && packet.messageId === messageId;

const hang = '($f := function() { $f() }; $f())';

it('a message that an expression reads is acknowledged once it is stored, in its turn, and holds up nobody else', async () => {
  const { httpUrl, connect } = await start([
    { id: 'm', topic: 'm/{sensor}', expression: `bad ? ${hang} : {"v": v}` },
    { id: 'flat', topic: 'flat/{sensor}' },
  ]);
  const one = await connect('one');
  const other = await connect('other');
  const order: string[] = [];
  one.publish('m/a', '{"bad": true}', { messageId: 1 });
  one.publish('m/a', '{"v": 1}', { messageId: 2 });
  one.publish('flat/a', '{"w": 2}', { messageId: 3 });
  other.publish('flat/b', '{"w": 3}', { messageId: 1 });
  await Promise.all([
    other.until(ackOf(1)).then(() => order.push('other')),
    one.until(ackOf(1)).then(() => order.push('one')),
  ]);
  await one.until(ackOf(3));
  expect(order).toEqual(['other', 'one']);
  const acks = one.received.flatMap((packet) => (packet.cmd === 'puback' ? [packet.messageId] : []));
  expect(acks).toEqual([1, 2, 3]);
  const stored = (await allReadings(httpUrl)).map(({ sensor, v, w }) => ({ sensor, v, w }));
  expect(stored).toHaveLength(3);
  expect(stored).toContainEqual({ sensor: 'a', v: 1, w: undefined });
  const { items } = (await (await fetch(`${httpUrl}/api/v1/quarantine`)).json()) as {
    items: { reason: string; topic: string; detail: string }[];
  };
  expect(items).toMatchObject([{ reason: 'mapping_timeout', topic: 'm/a' }]);
  expect(items[0]!.detail).toContain('mapping m');
}, 60_000);

it('what a mapping refused goes through it again, and nothing is stored twice', async () => {
  const { httpUrl, connect } = await start([
    { id: 'csv', topic: 'csv/{sensor}', format: 'csv' },
    { id: 'many', topic: 'many', expression: 'points.{"sensor": id, "v": v, "time": t}' },
    { id: 'stamped', topic: 'stamped', expression: 'points.{"sensor": id, "v": v}' },
  ]);
  const client = await connect('c');
  client.publish('csv/a', 'v,w\n1,2\nNaN,4\n5,6\n', { messageId: 1 });
  const points = [
    { id: 'b', v: 1, t: 1_700_000_000 },
    { id: 'c', v: {}, t: 1_700_000_000 },
  ];
  client.publish('many', JSON.stringify({ points }), { messageId: 2 });
  client.publish('stamped', JSON.stringify({ points }), { messageId: 3 });
  await client.until(ackOf(3));
  const list = async () => {
    const response = await fetch(`${httpUrl}/api/v1/quarantine`);
    return ((await response.json()) as { items: { id: string; topic: string; payload: string }[] }).items;
  };
  const refused = await list();
  const textOf = (topic: string) =>
    Buffer.from(refused.find((item) => item.topic === topic)!.payload, 'base64').toString();
  expect(refused).toHaveLength(3);
  expect(textOf('csv/a')).toBe('v,w\nNaN,4\n');
  expect(JSON.parse(textOf('many'))).toEqual({ points });
  const before = await allReadings(httpUrl);
  expect(before.map(({ sensor }) => sensor).sort()).toEqual(['a', 'a', 'a', 'b']);

  const again = await fetch(`${httpUrl}/api/v1/quarantine/replay`, { method: 'POST' });
  expect(await again.json()).toMatchObject({ replayed: 0, refused: 3 });
  expect(await allReadings(httpUrl)).toEqual(before);

  for (const { id, topic, payload } of refused) {
    const text = Buffer.from(payload, 'base64').toString();
    const mended = Buffer.from(text.replace('NaN', '3').replace('{}', '7')).toString('base64');
    const response = await fetch(`${httpUrl}/api/v1/quarantine/${id}/replay`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ payload: mended }),
    });
    expect(await response.json(), topic).toMatchObject({ replayed: 1, refused: 0 });
  }
  expect(await list()).toEqual([]);
  const after = await allReadings(httpUrl);
  const values = after.map(({ sensor, v, w }) => `${sensor} ${v} ${w ?? ''}`.trim()).sort();
  expect(values).toEqual(['a 1 2', 'a 3 4', 'a 5 6', 'b 1', 'b 1', 'c 7', 'c 7']);
}, 60_000);

// The main job on real input: recordings of roads, a row a message and many rows a message.
const folder = fileURLToPath(new URL('../../../shared/data', import.meta.url));
const recordings = ['speed_t4013', 'occupancy_t4013'].filter((name) =>
  existsSync(join(folder, `${name}.csv`)),
);

it.skipIf(recordings.length === 0)(
  'recordings of a road go through mappings and are stored as they are',
  async () => {
    const { httpUrl, connect } = await start([
      {
        id: 'rows',
        topic: 'roads/{sensor}/{metric}/row',
        format: 'csv',
        csv: { columns: ['timestamp', 'value'] },
        time: '$.timestamp',
        metrics: { '{metric}': '$.value' },
      },
      {
        id: 'files',
        topic: 'roads/{sensor}/{metric}/file',
        format: 'csv',
        time: '$.timestamp',
        metrics: { '{metric}': '$.value' },
        units: { speed: 'mph → km/h' },
      },
    ]);
    const client = await connect('roads');
    let messageId = 0;
    const publish = async (topic: string, payload: string): Promise<void> => {
      client.publish(topic, payload, { messageId: ++messageId });
      if (messageId % 100 === 0) await client.until(ackOf(messageId));
    };
    const expected = new Map<string, Map<bigint, number>>();
    for (const name of recordings) {
      const [header, ...lines] = readFileSync(join(folder, `${name}.csv`), 'utf8')
        .trim()
        .split(/\r?\n/);
      const [metric] = name.split('_');
      const values = new Map(
        lines.map((line) => [parseTime(line.split(',')[0])!, Number(line.split(',')[1])]),
      );
      for (const line of lines) await publish(`roads/by-row/${metric}/row`, line);
      for (let from = 0; from < lines.length; from += 500)
        await publish(
          `roads/by-file/${metric}/file`,
          [header, ...lines.slice(from, from + 500)].join('\r\n'),
        );
      expected.set(metric!, values);
    }
    await client.until(ackOf(messageId));
    for (const sensor of ['by-row', 'by-file']) {
      const stored = await allReadings(httpUrl, `sensor=${sensor}`);
      for (const [metric, values] of expected) {
        const factor = sensor === 'by-file' && metric === 'speed' ? 1.609344 : 1;
        const found = new Map(
          stored.flatMap((reading) =>
            reading[metric] === undefined
              ? []
              : [[parseTime(reading.time)!, Number(reading[metric])] as const],
          ),
        );
        expect(found.size, `${sensor} ${metric}`).toBe(values.size);
        const wrong = [...values].filter(
          ([timeNs, value]) => Math.abs(found.get(timeNs)! - value * factor) > 1e-9,
        );
        expect(wrong.slice(0, 5)).toEqual([]);
      }
    }
    const quarantine = await fetch(`${httpUrl}/api/v1/quarantine`);
    expect(await quarantine.json()).toMatchObject({ items: [] });
  },
  120_000,
);
