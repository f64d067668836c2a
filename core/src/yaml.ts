import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { messageOf, TidemarkError } from './errors.ts';

/** The mapping that a YAML file holds; throws `config_invalid` that says what is wrong with the file. */
export function readYaml(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new TidemarkError('config_invalid', `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
  const document = parseDocument(text);
  const fault = document.errors[0];
  if (fault)
    throw new TidemarkError('config_invalid', `${file} is not valid YAML: ${fault.message.split('\n')[0]}`);
  const value: unknown = document.toJS() ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new TidemarkError('config_invalid', `${file} must hold a mapping`);
  }
  return value as Record<string, unknown>;
}
