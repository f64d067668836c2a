/** Fractions have 20 bits, so that a value is exact in a double for every number up to 2^32. */
const FRACTIONS = 2 ** 20;

/** The value that reading number `n` carries: `n` and a fraction that only `n` has, so that a changed one is seen. */
export function valueFor(n: number): number {
  return n + (Math.imul(n + 1, 0x9e37_79b1) >>> 12) / FRACTIONS;
}

/** The number that a stored value claims to be of, or undefined when no reading ever carried that value. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value !== 'number') return undefined;
  const n = Math.floor(value);
  return n >= 0 && valueFor(n) === value ? n : undefined;
}
