import fc from 'fast-check';
import { generate, type Packet, parser } from 'mqtt-packet';
import { expect, it } from 'vitest';
import { ReceivedBytes } from './received-bytes.ts';

const packets: fc.Arbitrary<Packet> = fc.oneof(
  fc.record({
    cmd: fc.constant('publish' as const),
    topic: fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' }),
    payload: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
    qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
    messageId: fc.integer({ min: 1, max: 65_535 }),
    dup: fc.constant(false),
    retain: fc.boolean(),
  }),
  fc.record({
    cmd: fc.constant('subscribe' as const),
    messageId: fc.integer({ min: 1, max: 65_535 }),
    subscriptions: fc.array(fc.record({ topic: fc.string({ minLength: 1 }), qos: fc.constant(1 as const) }), {
      minLength: 1,
    }),
  }),
  fc.constant({ cmd: 'pingreq' as const }),
);

/** What a parser says of a stream that comes in pieces: its packets, and how it failed. */
function parsed(pieces: readonly Buffer[], list?: ReceivedBytes): unknown[] {
  const seen: unknown[] = [];
  const one = parser();
  if (list) Object.assign(one, { _list: list });
  one.on('packet', (packet) => seen.push(structuredClone({ ...packet })));
  one.on('error', ({ message }) => seen.push(message));
  for (const piece of pieces) if (!seen.some((item) => typeof item === 'string')) one.parse(piece);
  return seen;
}

/** A stream cut at these places, each piece in memory that is written over afterwards by nobody. */
function cut(stream: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (stream.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => Buffer.from(stream.subarray(from, at[index] ?? stream.length)));
}

it('is to the parser what its own list is, however the packets are cut', () => {
  fc.assert(
    fc.property(
      fc.array(packets, { maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      (sent, places) => {
        const pieces = cut(Buffer.concat(sent.map((packet) => generate(packet))), places);
        const seen = parsed(pieces, new ReceivedBytes());
        expect(seen).toHaveLength(sent.length);
        expect(seen).toEqual(parsed(pieces));
      },
    ),
    { numRuns: 500 },
  );
});

it('fails as the parser does with its own list, whatever the bytes', () => {
  const outcome = (pieces: readonly Buffer[], list?: ReceivedBytes): unknown => {
    try {
      return parsed(pieces, list);
    } catch (error) {
      return error instanceof RangeError ? 'beyond the end' : error;
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.array(fc.nat(), { maxLength: 3 }), (bytes, places) => {
      const pieces = cut(Buffer.from(bytes), places);
      expect(outcome(pieces, new ReceivedBytes())).toEqual(outcome(pieces));
    }),
    { numRuns: 5000 },
  );
});

it('a large packet in many pieces is copied a few times, not once for each', () => {
  const list = new ReceivedBytes();
  const piece = Buffer.alloc(1024, 7);
  for (let n = 0; n < 20_000; n++) list.append(piece);
  expect(list.length).toBe(20_000 * 1024);
  const taken = list.slice(5, 15);
  list.consume(20_000 * 1024 - 1);
  list.append(Buffer.from([1, 2]));
  expect([list.length, list.readUInt8(0), list.readUInt16BE(1)]).toEqual([3, 7, 0x0102]);
  expect(taken).toEqual(Buffer.alloc(10, 7));
});
