import { describe, expect, it } from 'vitest';
import { choice, duration, number, numberOf, server, text, toggle } from './field.ts';
import { fillDefaults, migrate, readSettings, type Spec } from './spec.ts';

const fields = {
  server,
  name: text({ pattern: /^[a-z]+$/ }),
  kind: choice(['above', 'range']),
  level: number({ isRequired: true, when: { field: 'kind', is: ['above'] } }),
  size: numberOf(10, { min: 1, max: 20, isWhole: true }),
  length: duration(),
  isRetained: toggle(false),
};
/** Version 1 called the level `threshold`; version 2 had sizes in dozens. */
const spec = {
  type: 'tidemark-test',
  fields,
  migrations: [
    fillDefaults(fields),
    ({ threshold, ...saved }) => ({ ...saved, level: threshold }),
    (saved) => ({ ...saved, size: Number(saved.size) * 12 }),
  ],
} satisfies Spec;

describe('migrate', () => {
  it('takes a configuration through the steps that it has not been through', () => {
    expect(migrate(spec, { version: 1, threshold: 3, size: 1 })).toEqual({ version: 3, level: 3, size: 12 });
    expect(migrate(spec, { version: '2', level: 3, size: 1 })).toEqual({ version: 3, level: 3, size: 12 });
    expect(migrate(spec, { version: 3, level: 3, size: 1 })).toEqual({ version: 3, level: 3, size: 1 });
  });

  it('fills what was written by hand, and keeps what stands there', () => {
    const saved = { server: 's', kind: 'range', length: undefined };
    expect(migrate({ ...spec, migrations: [fillDefaults(fields)] }, saved)).toEqual({
      version: 1,
      server: 's',
      name: '',
      kind: 'range',
      level: '',
      size: 10,
      length: '',
      isRetained: false,
    });
  });

  it('refuses what a newer version saved, and what is no version', () => {
    expect(() => migrate(spec, { version: 4 })).toThrow(
      /newer version of @tidemark\/node-red \(4; this one knows 3\): update/,
    );
    expect(() => migrate(spec, { version: 'x' })).toThrow(
      /version "x" of the saved tidemark-test node is no number/,
    );
    expect(() => migrate(spec, { version: -1 })).toThrow(/is no number/);
  });
});

describe('readSettings', () => {
  const right = { server: 's', kind: 'above', level: '3', size: '5', length: '90s', isRetained: true };

  it('reads what forms save as text', () => {
    expect(readSettings(spec, { ...right, name: ' abc ' })).toEqual({
      server: 's',
      name: 'abc',
      kind: 'above',
      level: 3,
      size: 5,
      length: '90s',
      isRetained: true,
    });
  });

  it('leaves out what does not count', () => {
    expect(readSettings(spec, { ...right, kind: 'range', level: 'nonsense' }).level).toBeUndefined();
  });

  it.each([
    [{ server: '' }, 'server is missing: choose or add a Tidemark server'],
    [{ name: 'A b' }, 'name is not written as it must be; see the help'],
    [{ kind: 'below' }, 'kind must be one of above, range'],
    [{ level: '' }, 'level is missing'],
    [{ level: 'hot' }, 'level must be a number'],
    [{ level: 'Infinity' }, 'level must be a number'],
    [{ size: 1.5 }, 'size must be a whole number'],
    [{ size: 0 }, 'size must be 1 or more'],
    [{ size: 21 }, 'size must be 20 or less'],
    [{ length: '5 minutes' }, 'length is no duration: write 90s, 10m or 1h30m'],
    [{ length: '0s' }, 'length is no duration: write 90s, 10m or 1h30m'],
    [{ length: '-5m', size: 0 }, 'size must be 1 or more; length is no duration: write 90s, 10m or 1h30m'],
    [{ isRetained: 'yes' }, 'isRetained must be true or false'],
  ])('%j: %s', (wrong, reason) => {
    expect(() => readSettings(spec, { ...right, ...wrong })).toThrow(new Error(reason));
  });
});
