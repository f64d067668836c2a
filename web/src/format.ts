const seconds = 1000;
const steps: [limitMs: number, unitMs: number, unit: string][] = [
  [60 * seconds, seconds, 's'],
  [3600 * seconds, 60 * seconds, 'min'],
  [48 * 3600 * seconds, 3600 * seconds, 'h'],
  [365 * 86_400 * seconds, 86_400 * seconds, 'd'],
  [Number.POSITIVE_INFINITY, 365 * 86_400 * seconds, 'y'],
];

/** How long ago a time is, roughly: `now`, `12 s ago`, `3 h ago`, `in 5 min`. */
export function formatAge(timeMs: number, nowMs: number): string {
  const ageMs = nowMs - timeMs;
  const sizeMs = Math.abs(ageMs);
  if (sizeMs < 1.5 * seconds) return 'now';
  const [, unitMs, unit] = steps.find(([limitMs]) => sizeMs < limitMs)!;
  const amount = `${Math.floor(sizeMs / unitMs)} ${unit}`;
  return ageMs > 0 ? `${amount} ago` : `in ${amount}`;
}

/** A value to read at a glance: about four significant digits, no exponent where it can be helped. */
export function formatValue(value: number | boolean | string): string {
  if (typeof value !== 'number') return String(value);
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e9 || size < 1e-4) return value.toExponential(2);
  const decimals = Math.max(1, 3 - Math.floor(Math.log10(size)));
  return value.toLocaleString('en', { maximumFractionDigits: decimals });
}

/** A count with thin separators. */
export function formatCount(count: number): string {
  return count.toLocaleString('en');
}

/** A rate for a tile: `0`, `0.4`, `12`, `4,820`. */
export function formatRate(perSecond: number): string {
  return perSecond.toLocaleString('en', { maximumFractionDigits: perSecond < 10 ? 1 : 0 });
}

/** `14:03:22` today, with the date otherwise. */
export function formatClock(timeMs: number, nowMs: number): string {
  const date = new Date(timeMs);
  const time = date.toLocaleTimeString('en-GB');
  if (new Date(nowMs).toDateString() === date.toDateString()) return time;
  return `${date.toLocaleDateString('sv-SE')} ${time}`;
}

/** Bytes in the unit of 1000 that leaves one to three digits: `512 B`, `1.4 GB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let unit = 0;
  let amount = bytes;
  while (amount >= 999.5 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${amount.toLocaleString('en', { maximumFractionDigits: amount < 10 && unit > 0 ? 1 : 0 })} ${units[unit]}`;
}

/** The day of an RFC 3339 time, in this zone. */
export function formatDate(time: string): string {
  return new Date(time).toLocaleDateString('sv-SE');
}

/** The beginning of a payload as text; bytes that are none show as a dot. */
export function previewPayload(base64: string, maxCharacters = 120): string {
  const binary = atob(base64);
  const bytes = Uint8Array.from(binary.slice(0, maxCharacters * 4), (character) => character.charCodeAt(0));
  const text = new TextDecoder().decode(bytes).replace(/\p{Cc}|\ufffd/gu, '·');
  const characters = [...text];
  return characters.length > maxCharacters ? `${characters.slice(0, maxCharacters).join('')}…` : text;
}

/** A payload as text where it is UTF-8 without control characters, else as `hex: …`. */
export function readablePayload(base64: string): string {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (!/[^\P{Cc}\t\r\n]/u.test(text)) return text;
  } catch {
    // No UTF-8: shown as what it is.
  }
  return `hex: ${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
