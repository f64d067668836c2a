import { expect, it } from 'vitest';
import { DeliveryMemory } from './delivery-memory.ts';

const payload = Buffer.from('21.5');
const delivery = (messageId: number, isDuplicate = false, clientId = 'c') => ({
  clientId,
  messageId,
  isDuplicate,
});

/** Delivers at `nowNs`; returns the time it has then. */
function deliver(
  memory: DeliveryMemory,
  nowNs: bigint,
  sent = delivery(7),
  topic = 't',
  bytes: Uint8Array = payload,
): bigint {
  const place = memory.placeOf(sent, topic, bytes, nowNs < 0n ? 0n : nowNs);
  if (place.firstNs < 0n) place.firstNs = nowNs;
  return place.firstNs;
}

/** What the log says of everything delivered, taken up by a new memory. */
function restarted(log: readonly { idHigh: number; idLow: number; firstNs: bigint }[]): DeliveryMemory {
  const memory = new DeliveryMemory();
  for (const stamp of log) memory.recall(stamp);
  return memory;
}

it('a resent message has the time it was first given, each time', () => {
  const memory = new DeliveryMemory();
  deliver(memory, 10n);
  deliver(memory, 20n, delivery(8));
  expect(deliver(memory, 30n, delivery(7, true))).toBe(10n);
  expect(deliver(memory, 40n, delivery(7, true))).toBe(10n);
});

const others: [string, ReturnType<typeof delivery>, string, Buffer][] = [
  ['another client sent it', delivery(7, true, 'd'), 't', payload],
  ['it has another id', delivery(8, true), 't', payload],
  ['it has an id that shares a slot', delivery(7 + 1024, true), 't', payload],
  ['its topic differs', delivery(7, true), 'u', payload],
  ['its payload differs', delivery(7, true), 't', Buffer.from('21.6')],
  ['its payload is longer', delivery(7, true), 't', Buffer.alloc(100)],
];

it.each([...others, ['the message is new', delivery(7), 't', payload] as const])(
  'a new time is given when %s',
  (_why, sent, topic, bytes) => {
    const memory = new DeliveryMemory();
    deliver(memory, 10n);
    expect(deliver(memory, 20n, sent, topic, bytes)).toBe(20n);
  },
);

it.each(others)('after a restart too: a new time is given when %s', (_why, sent, topic, bytes) => {
  const before = new DeliveryMemory();
  const log = [{ ...before.placeOf(delivery(7), 't', payload, 0n), firstNs: 10n }];
  expect(deliver(restarted(log), 20n, sent, topic, bytes)).toBe(20n);
  expect(deliver(restarted(log), 20n, delivery(7, true))).toBe(10n);
});

it('a message id that is used anew stands for the newest message', () => {
  const memory = new DeliveryMemory();
  deliver(memory, 10n);
  deliver(memory, 20n, delivery(7), 't', Buffer.from('22'));
  expect(deliver(memory, 30n, delivery(7, true), 't', Buffer.from('22'))).toBe(20n);
});

it('what was used anew since the restart is not taken for what was sent before it', () => {
  const before = new DeliveryMemory();
  const memory = restarted([{ ...before.placeOf(delivery(7), 't', payload, 0n), firstNs: 10n }]);
  expect(deliver(memory, 20n)).toBe(20n);
  expect(deliver(memory, 30n, delivery(7, true))).toBe(20n);
});

it('what a client resends after more messages than are ever in flight was not sent before the restart', () => {
  const place = { ...new DeliveryMemory().placeOf(delivery(7), 't', payload, 0n), firstNs: 10n };
  const resentAfter = (messages: number): bigint => {
    const memory = restarted([place]);
    for (let n = 1; n <= messages; n++) deliver(memory, 20n, delivery(1000 + n));
    return deliver(memory, 30n, delivery(7, true));
  };
  expect([resentAfter(1023), resentAfter(1024)]).toEqual([10n, 30n]);
});

it.each([17, 200, 1024])('a window of %i messages is remembered as a whole', (window) => {
  const memory = new DeliveryMemory();
  const ids = Array.from({ length: window }, (_, n) => n * 16 + 3);
  const apart = window === 17 ? ids : ids.map((_, n) => n + 1);
  for (const [n, messageId] of apart.entries()) deliver(memory, BigInt(n + 1), delivery(messageId));
  const again = apart.map((messageId) => deliver(memory, 9999n, delivery(messageId, true)));
  expect(again).toEqual(apart.map((_, n) => BigInt(n + 1)));
});

it('a client that sends seldom keeps few', () => {
  const memory = new DeliveryMemory();
  const minuteNs = 61_000_000_000n;
  for (let n = 1; n <= 20; n++) deliver(memory, BigInt(n) * minuteNs, delivery(n));
  const lateNs = 21n * minuteNs;
  expect(deliver(memory, lateNs, delivery(20, true))).toBe(20n * minuteNs);
  expect(deliver(memory, lateNs, delivery(5, true))).toBe(5n * minuteNs);
  expect(deliver(memory, lateNs, delivery(1, true))).toBe(lateNs);
});

it('of the same delivery in the log the newest counts', () => {
  const place = new DeliveryMemory().placeOf(delivery(7), 't', payload, 0n);
  const memory = restarted([10n, 20n].map((firstNs) => ({ ...place, firstNs })));
  expect(deliver(memory, 30n, delivery(7, true))).toBe(20n);
});

it('clients without number cost the oldest what was remembered of them, not those that are heard of', () => {
  const memory = new DeliveryMemory();
  deliver(memory, 1n, delivery(7, false, 'steady'));
  for (let n = 2; n <= 600_000; n++) {
    deliver(memory, BigInt(n), delivery(7, false, `c${n}`));
    if (n % 100_000 === 0) expect(deliver(memory, BigInt(n), delivery(7, true, 'steady'))).toBe(1n);
  }
  const late = 1_000_000n;
  expect(deliver(memory, late, delivery(7, true, 'c2'))).toBe(late);
  expect(deliver(memory, late, delivery(7, true, 'c400000'))).toBe(400_000n);
  expect(deliver(memory, late, delivery(7, true, 'c600000'))).toBe(600_000n);
});

it('a quarter of a million deliveries of before are recalled, each as its own, and those before them are not', () => {
  const before = new DeliveryMemory();
  const memory = new DeliveryMemory();
  const sent = (n: number) =>
    [delivery(n % 65_536, true, `client-${n >> 10}`), `sensors/s${n % 1000}/t`] as const;
  for (let n = 0; n < 600_000; n++) {
    const place = before.placeOf(...sent(n), payload, 0n);
    memory.recall({ ...place, firstNs: BigInt(n) });
  }
  const found = (n: number): bigint => deliver(memory, -2n, ...sent(n));
  expect(found(0)).toBe(-2n);
  for (let n = 350_000; n < 600_000; n++) if (found(n) !== BigInt(n)) throw new Error(`${n} is not recalled`);
});
