import { type Placeholders, parseTemplate, type Template, valueAt } from '@tidemark/core';

/** What a template says for one message; undefined where its payload has nothing at one of its paths. */
export type Render = (placeholders: Placeholders, root: unknown) => string | undefined;

export function compileTemplate(text: string): Render {
  const template = parseTemplate(text);
  if (typeof template === 'string') throw new Error(`a template ${template}`);
  return (placeholders, root) => render(template, placeholders, root);
}

function render(template: Template, placeholders: Placeholders, root: unknown): string | undefined {
  let text = '';
  for (const part of template) {
    if (typeof part === 'string') {
      text += part;
      continue;
    }
    const value = 'name' in part ? placeholders.get(part.name) : valueAt(root, part.path);
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') return undefined;
    text += value;
  }
  return text;
}
