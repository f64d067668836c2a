import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventParser } from './sse.ts';

const stream =
  'retry: 1000\n\n: heartbeat\nid: 100\n\nid: 200\ndata: {"v":1}\n\nid: 300\nevent: gap\ndata: one\ndata: two\n\r\n';
const events = [
  { type: 'message', data: '{"v":1}' },
  { type: 'gap', data: 'one\ntwo' },
];

describe('EventParser', () => {
  it('reads events and the place to resume at', () => {
    const parser = new EventParser();
    expect(parser.push(stream)).toEqual(events);
    expect(parser.lastEventId).toBe('300');
  });

  it('reads the same however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 6 }), (cuts) => {
        const parser = new EventParser();
        const places = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const pieces = places.slice(1).map((end, index) => stream.slice(places[index], end));
        expect(pieces.flatMap((piece) => parser.push(piece))).toEqual(events);
      }),
    );
  });

  it('moves its place only when an event has ended', () => {
    const parser = new EventParser();
    parser.push('id: 5\ndata: x\n');
    expect(parser.lastEventId).toBeUndefined();
    parser.push('\n');
    expect(parser.lastEventId).toBe('5');
  });
});
