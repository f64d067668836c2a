import { counts, fieldProblem } from '../fields/check.ts';
import type { Fields } from '../fields/field.ts';
import { migrate, type Saved, type Spec, versionOf } from '../fields/spec.ts';

/** What the palette and the workspace show of a node. */
interface Look {
  /** A file of the package's folder of icons. */
  icon: string;
  inputs: 0 | 1;
  outputs: number;
  /** What stands on a node that has no name. */
  label: (settings: Saved) => string;
}

const color = '#8fc7c1';

/** Registers a node with the editor: defaults, checks and the form's behaviour follow from its fields. */
export function registerNode(spec: Spec, { icon, inputs, outputs, label }: Look): void {
  RED.nodes.registerType(spec.type, {
    ...commonOf(spec, 'node-input'),
    category: 'Tidemark',
    color,
    icon,
    inputs,
    outputs,
    label() {
      return labelOf(this, spec, label);
    },
    labelStyle() {
      return this.name ? 'node_label_italic' : '';
    },
    outputLabels(index) {
      return this._(`output.${index}`);
    },
  });
}

/** Registers a configuration node with the editor. */
export function registerConfigNode(spec: Spec, label: (settings: Saved) => string): void {
  RED.nodes.registerType(spec.type, {
    ...commonOf(spec, 'node-config-input'),
    category: 'config',
    label() {
      return labelOf(this, spec, label);
    },
  });
}

/** The name that it was given, else what its settings say; for one that cannot be migrated, what it is. */
function labelOf(node: EditorNode, spec: Spec, label: (settings: Saved) => string): string {
  try {
    return String(node.name || label(migrate(spec, node)) || node._('palette'));
  } catch {
    return node._('palette');
  }
}

function commonOf(spec: Spec, prefix: string) {
  const { type, fields } = spec;
  const credentials = Object.entries(fields).flatMap(([name, field]) =>
    field.kind === 'secret' ? [[name, { type: field.as }]] : [],
  );
  return {
    paletteLabel: type.replace(/^tidemark-/, '').replaceAll('-', ' '),
    defaults: { name: { value: '' }, version: { value: versionOf(spec) }, ...defaultsOf(fields) },
    ...(credentials.length > 0 && { credentials: Object.fromEntries(credentials) }),
    oneditprepare(this: EditorNode): void {
      prepareForm(this, spec, prefix);
    },
  };
}

function defaultsOf(fields: Fields): Record<string, EditorDefault> {
  const entries = Object.entries(fields).flatMap(([name, field]): [string, EditorDefault][] => {
    if (field.kind === 'secret') return [];
    if (field.kind === 'server') return [[name, { value: '', type: 'tidemark-server', required: true }]];
    const validate = function (this: EditorNode, value: unknown): true | string {
      // Saved before there was this field: the migration fills it.
      if (value === undefined) return true;
      const problem = fieldProblem(fields, name, value, this);
      return problem === undefined ? true : `${this._(`label.${name}`)} ${problem}`;
    };
    return [[name, { value: field.default, validate }]];
  });
  return Object.fromEntries(entries);
}

/** Shows a saved configuration as of today's version, and only the rows that count. */
function prepareForm(node: EditorNode, spec: Spec, prefix: string): void {
  const input = (name: string) => document.getElementById(`${prefix}-${name}`) as HTMLInputElement | null;
  try {
    const current = migrate(spec, node);
    for (const [name, field] of Object.entries(spec.fields)) {
      if (field.kind === 'switch') setChecked(input(name), current[name] === true);
      else if (field.kind !== 'secret' && field.kind !== 'server') setValue(input(name), current[name]);
    }
    setValue(input('version'), current.version);
  } catch (error) {
    RED.notify((error as Error).message, { type: 'error' });
  }
  const showRows = (): void => {
    const entries = Object.entries(spec.fields).map(([name, field]) => {
      const element = input(name);
      return [name, field.kind === 'switch' ? element?.checked : element?.value];
    });
    const settings = Object.fromEntries(entries) as Saved;
    for (const [name, field] of Object.entries(spec.fields)) {
      const row = input(name)?.closest<HTMLElement>('.form-row');
      if (row) row.style.display = counts(field, settings) ? '' : 'none';
    }
  };
  for (const { when } of Object.values(spec.fields))
    if (when !== undefined) input(when.field)?.addEventListener('change', showRows);
  showRows();
}

function setValue(element: HTMLInputElement | null, value: unknown): void {
  if (element !== null) element.value = String(value ?? '');
}

function setChecked(element: HTMLInputElement | null, isChecked: boolean): void {
  if (element !== null) element.checked = isChecked;
}
