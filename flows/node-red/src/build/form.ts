import type { Field, Fields } from '../fields/field.ts';
import type { Spec } from '../fields/spec.ts';

/** The edit form of a node as Node-RED takes it: one row for each field, with labels from the catalogue. */
export function formOf({ type, fields }: Spec): string {
  const prefix = isConfig(fields) ? 'node-config-input' : 'node-input';
  const rows = [row(prefix, 'name', { kind: 'text', default: '', isRequired: false })].concat(
    Object.entries(fields).map(([name, field]) => row(prefix, name, field)),
  );
  return [
    `<script type="text/html" data-template-name="${type}">`,
    ...rows,
    `<input type="hidden" id="${prefix}-version">`,
    '</script>',
  ].join('\n');
}

/** The node that holds credentials is the one that the others name. */
function isConfig(fields: Fields): boolean {
  return Object.values(fields).some(({ kind }) => kind === 'secret');
}

function row(prefix: string, name: string, field: Field): string {
  const label = `<label for="${prefix}-${name}"><span data-i18n="label.${name}"></span></label>`;
  return `<div class="form-row">${label} ${inputOf(`${prefix}-${name}`, name, field)}</div>`;
}

function inputOf(id: string, name: string, field: Field): string {
  switch (field.kind) {
    case 'choice': {
      const options = field.options.map(
        (option) => `<option value="${option}" data-i18n="option.${name}.${option}"></option>`,
      );
      return `<select id="${id}">${options.join('')}</select>`;
    }
    case 'switch':
      return `<input type="checkbox" id="${id}" style="width: auto; vertical-align: baseline">`;
    case 'secret':
      return `<input type="${field.as}" id="${id}" autocomplete="off">`;
    case 'number':
      return `<input type="number" step="any" id="${id}">`;
    default:
      return `<input type="text" id="${id}" data-i18n="[placeholder]placeholder.${name}">`;
  }
}
