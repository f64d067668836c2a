import { expect, it } from 'vitest';
import { Stamper } from './stamper.ts';

const payload = Buffer.from('21.5');
const delivery = (messageId: number, isDuplicate = false, clientId = 'c') => ({
  clientId,
  messageId,
  isDuplicate,
});

it('stamps grow strictly, whatever the clock does, and begin above the floor', () => {
  const stamper = new Stamper(1000n);
  const stamps = [500n, 500n, 2000n, 2000n, 1500n, 3000n].map((nowNs) =>
    stamper.first(nowNs, 't', payload, undefined),
  );
  expect(stamps).toEqual([1001n, 1002n, 2000n, 2001n, 2002n, 3000n]);
});

it('readings of one message follow each other, and the next message follows them', () => {
  const stamper = new Stamper(0n);
  const first = stamper.first(10n, 't', payload, undefined);
  expect([first, stamper.following(first), stamper.following(first + 1n)]).toEqual([10n, 11n, 12n]);
  expect(stamper.first(10n, 't', payload, undefined)).toBe(13n);
});

it('a resent message gets the stamp it was first given, each time', () => {
  const stamper = new Stamper(0n);
  const first = stamper.first(10n, 't', payload, delivery(7));
  stamper.first(20n, 't', payload, delivery(8));
  expect(stamper.first(30n, 't', payload, delivery(7, true))).toBe(first);
  expect(stamper.first(40n, 't', payload, delivery(7, true))).toBe(first);
  expect(stamper.following(first)).toBe(first + 1n);
  expect(stamper.first(20n, 't', payload, undefined)).toBe(21n);
});

it.each([
  ['the message is new', delivery(7), 't', payload],
  ['another client sent it', delivery(7, true, 'd'), 't', payload],
  ['it has another id', delivery(8, true), 't', payload],
  ['it has an id that shares a slot', delivery(7 + 1024, true), 't', payload],
  ['its topic differs', delivery(7, true), 'u', payload],
  ['its payload differs', delivery(7, true), 't', Buffer.from('21.6')],
  ['its payload is longer', delivery(7, true), 't', Buffer.alloc(100)],
])('a new stamp is given when %s', (_why, sent, topic, bytes) => {
  const stamper = new Stamper(0n);
  stamper.first(10n, 't', payload, delivery(7));
  expect(stamper.first(20n, topic, bytes, sent)).toBe(20n);
});

it('a message id that is used anew stands for the newest message', () => {
  const stamper = new Stamper(0n);
  stamper.first(10n, 't', payload, delivery(7));
  stamper.first(20n, 't', Buffer.from('22'), delivery(7));
  expect(stamper.first(30n, 't', Buffer.from('22'), delivery(7, true))).toBe(20n);
});

it('clients without number cost the oldest what was remembered of them', () => {
  const stamper = new Stamper(0n);
  for (let n = 1; n <= 500_001; n++) stamper.first(BigInt(n), 't', payload, delivery(7, false, `c${n}`));
  const late = 1_000_000n;
  expect(stamper.first(late, 't', payload, delivery(7, true, 'c1'))).toBe(late);
  expect(stamper.first(late, 't', payload, delivery(7, true, 'c500001'))).toBe(500_001n);
});
