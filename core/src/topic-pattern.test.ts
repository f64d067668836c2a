import { expect, it } from 'vitest';
import { parseTopicPattern } from './topic-pattern.ts';

it.each([
  ['zigbee2mqtt/{sensor}', 'zigbee2mqtt/kitchen', { sensor: 'kitchen' }],
  ['zigbee2mqtt/{sensor}', 'zigbee2mqtt/kitchen/availability', undefined],
  ['zigbee2mqtt/{sensor}', 'zigbee2mqtt/', undefined],
  ['tele/{sensor}/SENSOR', 'tele/plug/SENSOR', { sensor: 'plug' }],
  ['tele/{sensor}/SENSOR', 'tele/plug/STATE', undefined],
  ['a/+/{b}/#', 'a/x/y', { b: 'y' }],
  ['a/+/{b}/#', 'a/x/y/z/0', { b: 'y' }],
  ['a/+/{b}/#', 'a/x', undefined],
  [
    'shelly{device}/status/{component}',
    'shellyplus1-a8/status/switch:0',
    { device: 'plus1-a8', component: 'switch:0' },
  ],
  ['shelly{device}/status/{component}', 'shelly/status/switch:0', undefined],
  ['{a}-x/y', 'one-x/y', { a: 'one' }],
  ['{a}-x/y', '-x/y', undefined],
  ['#', 'a/b', {}],
  ['#', '$SYS/a', undefined],
  ['{a}/b', '$SYS/b', undefined],
  ['a', 'a', {}],
] as const)('%s over %s', (text, topic, expected) => {
  const pattern = parseTopicPattern(text);
  if (typeof pattern === 'string') throw new Error(pattern);
  const found = pattern.match(topic);
  expect(found && Object.fromEntries(found)).toEqual(expected);
});

it('has an MQTT filter that covers it', () => {
  const pattern = parseTopicPattern('a{b}/+/{c}/#');
  expect(pattern).toMatchObject({ filter: '+/+/+/#', names: ['b', 'c'] });
});

it.each(['', 'a/#/b', 'a+/b', '{a}{b}', 'a/{}', 'a/{1}', '{a}/{a}', 'a/{b', 'a#'])('refuses %j', (text) => {
  expect(parseTopicPattern(text)).toBeTypeOf('string');
});
