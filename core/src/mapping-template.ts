import { type JsonPath, parseJsonPath } from './json-path.ts';

/** Text with parts that each message fills in: `{name}` from its topic, `{$.path}` from its payload. */
export type Template = readonly TemplatePart[];
export type TemplatePart = string | { name: string } | { path: JsonPath };

/** Reads `boiler-{n}`, `{$.device}`, or a path alone, `$.device`; a string says what is wrong with it. */
export function parseTemplate(text: string): Template | string {
  if (text.startsWith('$')) {
    const path = parseJsonPath(text);
    return typeof path === 'string' ? path : [{ path }];
  }
  const parts: TemplatePart[] = [];
  for (const [part, inner] of text.matchAll(/\{([^{}]*)\}|[^{}]+|[{}]/g)) {
    if (inner === undefined) {
      if (part === '{' || part === '}') return 'has a brace without its other one';
      parts.push(part);
    } else if (inner.startsWith('$')) {
      const path = parseJsonPath(inner);
      if (typeof path === 'string') return path;
      parts.push({ path });
    } else if (/^[A-Za-z][A-Za-z0-9_]*$/.test(inner)) parts.push({ name: inner });
    else return `has a placeholder that is neither {name} nor {$.path}: {${inner}}`;
  }
  return parts.length === 0 ? 'is empty' : parts;
}

/** The names of the topic's parts that the template takes. */
export function namesOf(template: Template): string[] {
  return template.flatMap((part) => (typeof part === 'object' && 'name' in part ? [part.name] : []));
}
