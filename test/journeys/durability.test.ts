import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireTool } from '@tidemark/store/testing';
import { describe, expect, it } from 'vitest';
import { findProgram } from '../support/find-program.ts';
import { startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { parseStrace, type SystemCall } from '../support/strace-log.ts';
import { tempDir } from '../support/temp-dir.ts';

const strace = findProgram('strace');
const CLIENTS = 4;
const MESSAGES_PER_CLIENT = 30;
const POSTS = 10;
/** Ids of what is posted over HTTP begin here. */
const POSTED = 90_000;

// kill -9 cannot show a missing fsync: the page cache survives the process. The order of system calls can.
describe.skipIf(!requireTool('strace', strace))('under strace', () => {
  it('no PUBACK, no PUBREC and no 2xx leaves before the fdatasync of its record has returned', async () => {
    const dataDir = await tempDir();
    const log = join(dataDir, 'strace.log');
    const calls = 'trace=pwrite64,write,writev,sendto,sendmsg,fdatasync';
    // With -D strace is the grandchild: signals reach the platform itself.
    const under = [strace!, '-D', '-f', '-y', '-xx', '-s', '1000000', '-e', calls, '-o', log];
    const platform = await startPlatform({ dataDir, under });
    await Promise.all([
      ...Array.from({ length: CLIENTS }, (_, client) => publish(platform.mqttUrl, client)),
      post(platform.httpUrl),
    ]);
    await platform.end('SIGTERM');

    await expect.poll(() => readFile(log, 'utf8')).toMatch(/\+\+\+ exited with 0 \+\+\+\n$/);
    const trace = parseStrace(await readFile(log, 'utf8'));
    const durableAt = new DurableMarks(trace);
    const acks = acknowledgements(trace);
    expect(acks).toHaveLength(CLIENTS * MESSAGES_PER_CLIENT + POSTS);
    for (const { marker, start } of acks) {
      const fsyncReturned = durableAt.of(marker);
      expect(fsyncReturned, `marker ${marker} was fsynced`).toBeDefined();
      expect(start, `the acknowledgement of ${marker} came after its fdatasync`).toBeGreaterThan(
        fsyncReturned!,
      );
    }
  });
});

/** Message ids are unique over all clients, and each message carries its own: an ack names its marker. */
async function publish(url: string, client: number): Promise<void> {
  const qos = client % 2 === 0 ? 1 : 2;
  const connection = await RawMqtt.connect(url, `marker-${client}`);
  for (let n = 0; n < MESSAGES_PER_CLIENT; n++) {
    const messageId = client * 1000 + n + 1;
    connection.publish(`sensors/c${client}`, JSON.stringify({ marker: markerOf(messageId) }), {
      qos,
      messageId,
    });
    // Some alone, some in bursts.
    if (n % 3 === 0)
      await connection.until((packet) => 'messageId' in packet && packet.messageId === messageId);
  }
  const last = client * 1000 + MESSAGES_PER_CLIENT;
  await connection.until((packet) => 'messageId' in packet && packet.messageId === last);
  connection.end();
}

async function post(url: string): Promise<void> {
  for (let n = 0; n < POSTS; n++) {
    const body = JSON.stringify({ sensor: 'http', marker: markerOf(POSTED + n) });
    const response = await fetch(`${url}/api/v1/readings`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    expect(response.status).toBe(200);
  }
}

function markerOf(id: number): number {
  return 7_000_000 + id;
}

/** When each marker's record was on stable storage: the first fdatasync begun after its write that returned 0. */
class DurableMarks {
  readonly #trace: readonly SystemCall[];

  constructor(trace: readonly SystemCall[]) {
    this.#trace = trace;
  }

  of(marker: string): number | undefined {
    const write = this.#trace.find(
      ({ name, file, bytes }) => name === 'pwrite64' && file.endsWith('.seg') && bytes.includes(marker),
    );
    if (!write) return undefined;
    const sync = this.#trace.find(
      ({ name, file, start, result }) =>
        name === 'fdatasync' && file === write.file && start > write.end && result === 0,
    );
    return sync?.end;
  }
}

interface Acknowledgement {
  marker: string;
  start: number;
}

/** Everything that left a socket and acknowledges a marker, with the position at which it began to leave. */
function acknowledgements(trace: readonly SystemCall[]): Acknowledgement[] {
  const sends = trace.filter(
    ({ name, file, bytes }) => name !== 'pwrite64' && /^(TCP|socket)/.test(file) && bytes.length > 0,
  );
  const isAnswer = (bytes: Buffer): boolean =>
    bytes.includes('HTTP/1.1 200') && bytes.includes('"accepted":1');
  const answers = sends
    .filter(({ bytes }) => isAnswer(bytes))
    .map(({ start }, n) => ({ id: POSTED + n, start }));
  const acks = sends
    // Standard output is a socket too, and carries the ready line.
    .filter(({ bytes }) => !bytes.includes('HTTP/1.1') && bytes[0] !== 0x7b)
    .flatMap(({ bytes, start }) => mqttAcks(bytes).map((id) => ({ id, start })));
  return [...answers, ...acks].map(({ id, start }) => ({ marker: `marker=${markerOf(id)}`, start }));
}

/** Message ids of the PUBACK (0x40) and PUBREC (0x50) packets in what a socket sent. */
function mqttAcks(bytes: Buffer): number[] {
  const ids: number[] = [];
  for (let at = 0; at + 3 < bytes.length; at += 2 + bytes[at + 1]!) {
    const type = bytes[at]! >> 4;
    if (type === 4 || type === 5) ids.push(bytes.readUInt16BE(at + 2));
  }
  return ids;
}
