import { expect, it, onTestFinished } from 'vitest';
import { startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';

// Payloads of Sparkplug B, byte by byte: field numbers and wire types by the specification.
const double = (value: number): Buffer => {
  const bytes = Buffer.alloc(9, 0x69);
  bytes.writeDoubleLE(value, 1);
  return bytes;
};
const field = (tag: number, value: Buffer): Buffer =>
  Buffer.concat([Buffer.from([tag, value.length]), value]);
const metric = (...parts: Buffer[]): Buffer => field(0x12, Buffer.concat(parts));
const named = (name: string): Buffer => field(0x0a, Buffer.from(name));
const alias = Buffer.from([0x10, 7]);
const seq = (number: number): Buffer => Buffer.from([0x18, number]);
/** Type UInt64 (8), its value in field 11. */
const bdSeq = metric(named('bdSeq'), Buffer.from([0x20, 8, 0x58, 3]));
/** Type Double (10). */
const birth = Buffer.concat([
  bdSeq,
  metric(named('Temp'), alias, Buffer.from([0x20, 10]), double(20)),
  seq(0),
]);
const data = (value: number, number: number): Buffer =>
  Buffer.concat([metric(alias, double(value)), seq(number)]);
/** Type Boolean (11), true. */
const rebirth = Buffer.concat([named('Node Control/Rebirth'), Buffer.from([0x20, 11, 0x70, 1])]);

it('an edge node is asked for its births, read by them, and down once it is gone', async () => {
  const platform = await startPlatform({ dataDir: await tempDir() });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  const get = async (path: string): Promise<{ items: Record<string, unknown>[] }> =>
    (await (await fetch(`${platform.httpUrl}/api/v1/${path}`)).json()) as {
      items: Record<string, unknown>[];
    };
  const will = { topic: 'spBv1.0/plant/NDEATH/press', payload: bdSeq, qos: 1 as const, retain: false };
  const node = await RawMqtt.connect(platform.mqttUrl, 'press', true, will);
  const topic = 'spBv1.0/plant/NCMD/press';
  node.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 0 }] });
  await node.until(({ cmd }) => cmd === 'suback');

  node.publish('spBv1.0/plant/NDATA/press', data(19, 5), { qos: 0 });
  const command = await node.until(({ cmd }) => cmd === 'publish');
  expect(command).toMatchObject({ topic, retain: false });
  const { payload } = command as { payload: Buffer };
  // Between its parts the metric has a timestamp.
  for (const part of [rebirth.subarray(0, 22), rebirth.subarray(22)])
    expect(payload.includes(part)).toBe(true);

  node.publish('spBv1.0/plant/NBIRTH/press', birth, { qos: 0 });
  node.publish('spBv1.0/plant/NDATA/press', data(21, 1), { messageId: 2 });
  await node.until((packet) => packet.cmd === 'puback');
  const [refused] = (await get('quarantine')).items;
  expect(refused).toMatchObject({ reason: 'no_birth', sensor: 'plant.press' });
  const replay = await fetch(`${platform.httpUrl}/api/v1/quarantine/${refused!.id}/replay`, {
    method: 'POST',
  });
  expect(await replay.json()).toMatchObject({ replayed: 1 });
  const values = async () => (await get('readings?sensor=plant.press')).items.map(({ Temp }) => Temp);
  await expect.poll(async () => (await values()).toSorted(), { timeout: 20_000 }).toEqual([19, 20, 21]);

  node.end();
  const silence = async () =>
    (await get('quality?from=now-1h')).items.map((item) => [item.sensor, item.check]);
  await expect.poll(silence, { timeout: 20_000 }).toEqual([['plant.press', 'silence']]);
});
