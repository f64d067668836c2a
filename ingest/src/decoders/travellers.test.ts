import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeTravellersMessage, positionOf } from './travellers.ts';

const limits = { maxReadingsPerMessage: 3, maxFieldsPerReading: 64 };
const decode = (payload: unknown, sensor = 'gate') =>
  decodeTravellersMessage(
    sensor,
    Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)),
    limits,
  );
const good = { traveller: 't17', type: 'cyclist', x: 3.2, y: 0.4, time: 1_700_000_000 };

it('reads a position, or an array of them', () => {
  const position = { sensor: 'gate', traveller: 't17', type: 'cyclist', x: 3.2, y: 0.4 };
  expect(decode(good)).toMatchObject({
    positions: [{ index: 0, ...position, timeNs: 1_700_000_000_000_000_000n }],
    faults: [],
  });
  const { time, ...timeless } = good;
  expect(decode([timeless, { ...good, traveller: 17, ts: time }])).toMatchObject({
    positions: [
      { index: 0, ...position, timeNs: undefined },
      { index: 1, ...position, traveller: '17' },
    ],
    faults: [],
  });
});

it.each([
  ['no JSON', '{', 'malformed_json'],
  ['an empty array', [], 'empty'],
  ['more than a message may hold', [good, good, good, good], 'too_many_readings'],
  ['a number', 5, 'wrong_type'],
  ['no traveller', { ...good, traveller: undefined }, 'bad_traveller'],
  ['a traveller that is no id', { ...good, traveller: 'a/b' }, 'bad_traveller'],
  ['a traveller that is half a number', { ...good, traveller: 1.5 }, 'bad_traveller'],
  ['no type', { ...good, type: undefined }, 'bad_traveller'],
  ['a type that is no text', { ...good, type: 5 }, 'bad_traveller'],
  ['no x', { ...good, x: undefined }, 'missing_value'],
  ['y null', { ...good, y: null }, 'missing_value'],
  ['a number as text', { ...good, x: '3.2' }, 'wrong_type'],
  ['a boolean', { ...good, y: true }, 'wrong_type'],
  ['a number beyond a double', '{"traveller": "a", "type": "car", "x": 1e999, "y": 0}', 'not_finite'],
  ['no time', { ...good, time: 'noon' }, 'bad_time'],
  ['two times', { ...good, ts: 1 }, 'bad_time'],
  ['another sensor', { ...good, sensor: 'other' }, 'bad_sensor'],
])('refuses %s, with its reason', (_, payload, reason) => {
  expect(decode(payload)).toMatchObject({ faults: [{ index: 0, reason }] });
  expect(decode(payload).positions ?? []).toEqual([]);
});

it('one bad position costs its message nothing else', () => {
  const { positions, faults } = decode([good, { ...good, x: 'far' }, good]);
  expect(positions!.map(({ index }) => index)).toEqual([0, 2]);
  expect(faults).toMatchObject([{ index: 1, reason: 'wrong_type', raw: { x: 'far' } }]);
});

it('accounts for each part of whatever JSON it is given', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.jsonValue(), fc.constant(good)), { minLength: 1, maxLength: 3 }),
      (items) => {
        const { positions = [], faults } = decode(items);
        expect(positions.length + faults.length).toBe(items.length);
      },
    ),
  );
});

it('says what a line of the measurement lacks', () => {
  const tags = [
    ['sensor', 'gate'],
    ['slot', '3'],
    ['type', 'car'],
  ] as const;
  const fields = [
    ['speed', 2],
    ['traveller', 'a'],
    ['x', 1],
    ['y', 2],
  ] as const;
  const point = { measurement: 'travellers', tags, fields, timeNs: 1n };
  expect(positionOf(point)).toEqual({ sensor: 'gate', type: 'car', traveller: 'a', x: 1, y: 2 });
  expect(positionOf({ ...point, tags: tags.slice(1) })).toMatch(/tag sensor/);
  expect(positionOf({ ...point, tags: tags.slice(0, 2) })).toMatch(/tag type/);
  expect(positionOf({ ...point, fields: fields.slice(2) })).toMatch(/field traveller/);
  expect(positionOf({ ...point, fields: fields.slice(0, 3) })).toMatch(/x and y/);
});
