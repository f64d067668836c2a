import { expect, it } from 'vitest';
import { loadConfig } from './config.ts';
import { TidemarkError } from './errors.ts';
import { TopicClaims } from './topic-claims.ts';

const claimsOf = (mappings: unknown[]) => new TopicClaims(loadConfig({ overrides: { mappings } }).mappings);

it('the first that matches a topic is its, behind the topics of the platform', () => {
  const claims = claimsOf([
    { id: 'one', topic: 'a/{sensor}' },
    { id: 'all', topic: '{site}/{sensor}' },
    { id: 'deep', topic: '#', sensor: 'any' },
  ]);
  for (const _ of [1, 2]) {
    expect(claims.of('a/b')).toMatchObject({ kind: 'mapped', mapping: { id: 'one' } });
    expect(claims.of('b/c')).toMatchObject({ kind: 'mapped', mapping: { id: 'all' } });
    expect(claims.of('b/c/d')).toMatchObject({ kind: 'mapped', mapping: { id: 'deep' } });
    expect(claims.of('sensors/b')).toEqual({ kind: 'sensor', sensor: 'b' });
    expect(claims.of('alerts/b')).toEqual({ kind: 'own' });
    expect(claims.of('$SYS/b')).toEqual({ kind: 'own' });
    expect(claims.of('$b/c')).toEqual({ kind: 'other' });
  }
  expect(claims.filters).toEqual(['a/+', '+/+', '#']);
});

it('a preset is replaced by what it stands for, with the settings beside it', () => {
  const { mappings } = loadConfig({
    overrides: { mappings: [{ preset: 'zigbee2mqtt', base: 'zb', exclude: ['voltage'], location: 'attic' }] },
  });
  expect(mappings).toMatchObject([{ id: 'zigbee2mqtt', topic: 'zb/{sensor}', location: 'attic' }]);
  expect(mappings[0]!.exclude).toContain('voltage');
  expect(mappings[0]!.exclude).toContain('update_*');
});

it.each([
  ['mappings.0.topic', { id: 'a', topic: 'sensors/{sensor}' }],
  ['mappings.0.topic', { id: 'a', topic: 'lines/#', sensor: 'b' }],
  ['mappings.0.topic', { id: 'a', topic: 'a/{b', sensor: 'b' }],
  ['mappings.0.id', { topic: 'a/{sensor}' }],
  ['mappings.0.sensor', { id: 'a', topic: 'a/b' }],
  ['mappings.0.sensor', { id: 'a', topic: 'a/{b}', sensor: '{c}' }],
  ['mappings.0.sensor', { id: 'a', topic: 'a/{b}', sensor: '{$.x[}' }],
  ['mappings.0.metric', { id: 'a', topic: 'a/{sensor}', format: 'value' }],
  ['mappings.0.metrics', { id: 'a', topic: 'a/{sensor}', metrics: { '{x}': '$.x' } }],
  ['mappings.0.metrics.x', { id: 'a', topic: 'a/{sensor}', metrics: { x: 'x' } }],
  ['mappings.0.units.t', { id: 'a', topic: 'a/{sensor}', units: { t: '°F → kg' } }],
  ['mappings.0.time', { id: 'a', topic: 'a/{sensor}', time: 'x' }],
  ['mappings.0.time', { id: 'a', topic: 'a/{sensor}', time: { path: '$.x', zone: 'Mars/Base' } }],
  ['mappings.0.csv', { id: 'a', topic: 'a/{sensor}', csv: {} }],
  ['mappings.0.metrics', { id: 'a', topic: 'a/{sensor}', metrics: { x: '$.x' }, expression: '$' }],
  ['mappings.0.nonsense', { id: 'a', topic: 'a/{sensor}', nonsense: 1 }],
  ['mappings.0.preset', { preset: 'nonsense' }],
  ['mappings.0.base', { preset: 'tasmota', base: '' }],
  ['mappings.0.sensor', { preset: 'tasmota', base: 'tele/x' }],
])('tells that %s is wrong', (path, mapping) => {
  const load = () => loadConfig({ overrides: { mappings: [mapping] } });
  expect(load).toThrow(TidemarkError);
  try {
    load();
  } catch (error) {
    const paths = (error as TidemarkError).issues.map((issue) => issue.path);
    expect(paths.some((found) => found === path || found.startsWith(`${path}.`))).toBe(true);
  }
});

it('two mappings do not have one id', () => {
  const mapping = { id: 'a', topic: 'a/{sensor}' };
  expect(() => loadConfig({ overrides: { mappings: [mapping, mapping] } })).toThrow('mappings.1.id');
});
