// A light MQTT 3.1.1 publisher, run as a process of its own: `mqtt-load.ts PORT CONNECTIONS WINDOW MESSAGES [RATE] [many]`.
// Keeps WINDOW QoS 1 publishes of one JSON reading in flight on each connection, or with RATE sends so many a second
// over all of them while fewer than WINDOW wait on each, from packets made beforehand by mqtt-packet, and prints one
// JSON line at the end. With `many`, each packet is of a sensor of its own: 500 on each connection.
import { createConnection, type Socket } from 'node:net';
import { generate } from 'mqtt-packet';

interface Publisher {
  socket: Socket;
  /** Publish packets that differ in value; their message id is patched in place. */
  packets: Buffer[];
  idPosition: number;
  sent: number;
  acked: number;
  quota: number;
  sentAtMs: Float64Array;
}

const [port, connections, window, messages, rate] = process.argv
  .slice(2)
  .filter((text) => text !== 'many')
  .map(Number) as [number, number, number, number, number | undefined];
const hasMany = process.argv.includes('many');
const TICK_MS = 5;
const PACKETS = 500;
const PUBACK_BYTES = 4;
const latenciesMs: number[] = [];

const publishers = await Promise.all(Array.from({ length: connections }, (_, index) => connect(index)));
const cpuBefore = process.cpuUsage();
const startedMs = performance.now();
await Promise.all(publishers.map(publishAll));
const seconds = (performance.now() - startedMs) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
for (const { socket } of publishers) socket.end();
latenciesMs.sort((a, b) => a - b);
const quantile = (q: number): number =>
  latenciesMs[Math.min(latenciesMs.length - 1, Math.floor(latenciesMs.length * q))] ?? 0;
const acked = publishers.reduce((sum, publisher) => sum + publisher.acked, 0);
process.stdout.write(
  `${JSON.stringify({ acked, seconds, cpuSeconds: (user + system) / 1e6, p50Ms: quantile(0.5), p99Ms: quantile(0.99) })}\n`,
);

async function connect(index: number): Promise<Publisher> {
  const socket = createConnection(port, '127.0.0.1');
  socket.setNoDelay(true);
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  socket.write(
    generate({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      clientId: `load-${process.pid}-${index}`,
      keepalive: 60,
    }),
  );
  await new Promise((resolve) => socket.once('data', resolve));
  const packets = Array.from({ length: PACKETS }, (_, n) => {
    const payload = JSON.stringify({ temperature: 15 + ((index * 7 + n * 13) % 2000) / 100 });
    const topic = hasMany ? `sensors/load-${index}-${String(n).padStart(3, '0')}` : `sensors/load-${index}`;
    return generate({ cmd: 'publish', topic, payload, qos: 1, messageId: 1, dup: false, retain: false });
  });
  const quota = Math.floor(messages / connections);
  return {
    socket,
    packets,
    idPosition: 2 + 2 + packets[0]!.readUInt16BE(2),
    sent: 0,
    acked: 0,
    quota,
    sentAtMs: new Float64Array(65_536),
  };
}

function publishAll(publisher: Publisher): Promise<void> {
  return new Promise((resolve, reject) => {
    let leftover = 0;
    const ticks = rate === undefined ? undefined : setInterval(() => sendDue(publisher, rate), TICK_MS);
    publisher.socket.on('error', reject);
    publisher.socket.on('close', () => reject(new Error('the broker closed the connection')));
    publisher.socket.on('data', (bytes: Buffer) => {
      const total = bytes.length + leftover;
      const acks = Math.floor(total / PUBACK_BYTES);
      leftover = total % PUBACK_BYTES;
      noteLatency(publisher, acks);
      publisher.acked += acks;
      if (publisher.acked >= publisher.quota) {
        publisher.socket.removeAllListeners('close');
        clearInterval(ticks);
        resolve();
      } else if (ticks === undefined) send(publisher, Math.min(acks, publisher.quota - publisher.sent));
    });
    if (ticks === undefined) send(publisher, Math.min(window, publisher.quota));
  });
}

/** What the clock says is to be sent by now, as far as the window allows. */
function sendDue(publisher: Publisher, perSecond: number): void {
  const due = Math.floor((((performance.now() - startedMs) / 1000) * perSecond) / connections);
  const { sent, acked, quota } = publisher;
  send(publisher, Math.min(due, quota, acked + window) - sent);
}

function send(publisher: Publisher, count: number): void {
  if (count <= 0) return;
  const chosen: Buffer[] = [];
  let length = 0;
  for (let index = 0; index < count; index++) {
    const packet = publisher.packets[(publisher.sent + index) % PACKETS]!;
    chosen.push(packet);
    length += packet.length;
  }
  const out = Buffer.allocUnsafe(length);
  const nowMs = performance.now();
  let position = 0;
  for (const packet of chosen) {
    const messageId = (publisher.sent++ % 65_535) + 1;
    packet.copy(out, position);
    out.writeUInt16BE(messageId, position + publisher.idPosition);
    publisher.sentAtMs[messageId] = nowMs;
    position += packet.length;
  }
  publisher.socket.write(out);
}

/** Acks come in order. */
function noteLatency(publisher: Publisher, acks: number): void {
  const nowMs = performance.now();
  for (let index = 0; index < acks; index++) {
    const messageId = ((publisher.acked + index) % 65_535) + 1;
    latenciesMs.push(nowMs - publisher.sentAtMs[messageId]!);
  }
}
