/** Deeper than any message of a device; what is nested deeper is told, not followed. */
const MAX_DEPTH = 32;

/** A number, text, truth, or what cannot be stored, and how it is called: its keys joined by `_`. */
export type VisitField = (name: string, value: unknown) => void;

/** Visits what stands in objects and arrays, however nested; null holds no value. False when `isEnough` stopped it. */
export function flatten(root: unknown, prefix: string, visit: VisitField, isEnough: () => boolean): boolean {
  return visitAll(root, prefix, 0, visit, isEnough);
}

export function isContainer(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || isPlain(value);
}

function visitAll(
  container: unknown,
  prefix: string,
  depth: number,
  visit: VisitField,
  isEnough: () => boolean,
): boolean {
  if (!isContainer(container)) return true;
  for (const key of Object.keys(container)) {
    if (isEnough()) return false;
    const value = (container as Record<string, unknown>)[key];
    const name = prefix + key;
    if (value === null || value === undefined) continue;
    if (!isContainer(value) || depth >= MAX_DEPTH) visit(name, value);
    else if (!visitAll(value, `${name}_`, depth + 1, visit, isEnough)) return false;
  }
  return true;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
