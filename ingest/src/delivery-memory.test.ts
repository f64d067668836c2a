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
  const place = memory.placeOf(sent, topic, bytes);
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
  const log = [{ ...before.placeOf(delivery(7), 't', payload), firstNs: 10n }];
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
  const memory = restarted([{ ...before.placeOf(delivery(7), 't', payload), firstNs: 10n }]);
  expect(deliver(memory, 20n)).toBe(20n);
  expect(deliver(memory, 30n, delivery(7, true))).toBe(20n);
  expect(deliver(memory, 40n, delivery(7 + 1024, true))).toBe(40n);
  expect(deliver(memory, 50n, delivery(7, true))).toBe(50n);
});

it('of the same delivery in the log the newest counts', () => {
  const place = new DeliveryMemory().placeOf(delivery(7), 't', payload);
  const memory = restarted([10n, 20n].map((firstNs) => ({ ...place, firstNs })));
  expect(deliver(memory, 30n, delivery(7, true))).toBe(20n);
});

it('clients without number cost the oldest what was remembered of them', () => {
  const memory = new DeliveryMemory();
  for (let n = 1; n <= 500_001; n++) deliver(memory, BigInt(n), delivery(7, false, `c${n}`));
  const late = 1_000_000n;
  expect(deliver(memory, late, delivery(7, true, 'c1'))).toBe(late);
  expect(deliver(memory, late, delivery(7, true, 'c500001'))).toBe(500_001n);
});

it('half a million deliveries of before are recalled, each as its own', () => {
  const before = new DeliveryMemory();
  const memory = new DeliveryMemory();
  const sent = (n: number) =>
    [delivery(n % 65_536, true, `client-${n >> 10}`), `sensors/s${n % 1000}/t`] as const;
  for (let n = 0; n <= 500_000; n++) {
    const place = before.placeOf(...sent(n), payload);
    memory.recall({ ...place, firstNs: BigInt(n) });
  }
  const found = Array.from({ length: 500_001 }, (_, n) => deliver(memory, -2n, ...sent(n)));
  expect(found[0]).toBe(-2n);
  expect(found.slice(1).every((firstNs, index) => firstNs === BigInt(index + 1))).toBe(true);
});
