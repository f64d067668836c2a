import { counts, fieldProblem } from './check.ts';
import type { Field, Fields, SettingsOf } from './field.ts';

/** A node's saved configuration, as Node-RED keeps it in the flows file. */
export type Saved = Readonly<Record<string, unknown>>;

/** What a node saves: its fields, and how configurations of earlier versions become those of today. */
export interface Spec<Described extends Fields = Fields> {
  /** The node's type in Node-RED. */
  readonly type: string;
  readonly fields: Described;
  /**
   * The step at index n makes a configuration of version n into one of version n + 1; so there are as many as
   * the version that is saved today. Version 0 is a configuration that was written by hand, without a version.
   */
  readonly migrations: readonly ((saved: Saved) => Saved)[];
}

/** A configuration that a node cannot work with; its message says all that is wrong. */
export class ConfigError extends Error {}

/** The version that is saved today. */
export function versionOf({ migrations }: Spec): number {
  return migrations.length;
}

/** The saved configuration as of today's version; throws `ConfigError` when it was saved by a newer one. */
export function migrate(spec: Spec, saved: Saved): Saved {
  const latest = versionOf(spec);
  const version = saved.version === undefined || saved.version === '' ? 0 : Number(saved.version);
  if (!Number.isInteger(version) || version < 0)
    throw new ConfigError(
      `version ${JSON.stringify(saved.version)} of the saved ${spec.type} node is no number`,
    );
  if (version > latest)
    throw new ConfigError(
      `this ${spec.type} node was saved by a newer version of @tidemark/node-red (${version}; this one knows ${latest}): update the package`,
    );
  const current = spec.migrations.slice(version).reduce((config, step) => step(config), saved);
  return { ...current, version: latest };
}

/** The settings of a configuration of today; throws `ConfigError` that tells every fault, each with its field. */
export function readSettings<Described extends Fields>(
  { fields }: Spec<Described>,
  saved: Saved,
): SettingsOf<Described> {
  const faults = Object.keys(fields).flatMap((name) => {
    const problem = fieldProblem(fields, name, saved[name], saved);
    return problem === undefined ? [] : [`${name} ${problem}`];
  });
  if (faults.length > 0) throw new ConfigError(faults.join('; '));
  const entries = Object.entries(fields).map(([name, field]) => [
    name,
    counts(field, saved) ? settingOf(field, saved[name]) : emptyOf(field),
  ]);
  return Object.fromEntries(entries) as SettingsOf<Described>;
}

/** The step that every node begins with: what a configuration written by hand leaves out gets its default. */
export function fillDefaults(fields: Fields): (saved: Saved) => Saved {
  return (saved) => {
    const defaults = Object.entries(fields).flatMap(([name, field]) =>
      saved[name] === undefined && 'default' in field ? [[name, field.default]] : [],
    );
    return { ...saved, ...Object.fromEntries(defaults) };
  };
}

function settingOf(field: Field, value: unknown): unknown {
  if (field.kind === 'switch') return value;
  const written = String(value ?? '').trim();
  if (written === '') return undefined;
  return field.kind === 'number' ? Number(written) : written;
}

function emptyOf(field: Field): unknown {
  return field.kind === 'choice' || field.kind === 'switch' ? field.default : undefined;
}
