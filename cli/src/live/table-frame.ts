import { type Item, toTable } from '../table.ts';
import type { SeriesStats } from './series-stats.ts';

/** What one screen holds. */
interface FrameOptions {
  stats: readonly SeriesStats[];
  /** Stands below the table. */
  status: string;
  columns: number;
  rows: number;
}

const SIGNIFICANT_DIGITS = 6;

/** The series as a table that fits on the terminal; of those that do not, it says how many there are. */
export function toFrame({ stats, status, columns, rows }: FrameOptions): string {
  // The head of the table and the status are always there.
  const room = Math.max(0, rows - 3);
  const shown = stats.slice(0, room);
  const left = stats.length - shown.length;
  const more =
    left > 0 ? [`… and ${left} more series: a higher window, or --sensor and --metric, show them`] : [];
  const lines = [...toTable(shown.map(toItem)).trimEnd().split('\n'), ...more, status];
  return lines.map((line) => cut(line, columns)).join('\n');
}

/** A series as a row of a table. */
export function toItem({ sensor, location, metric, count, last, time, ...numbers }: SeriesStats): Item {
  const { mean, min, max, rate, perSecond } = numbers;
  const [shownMean, shownMin, shownMax, shownRate, pace] = [mean, min, max, rate, perSecond].map(shorten);
  return {
    sensor: printable(sensor),
    location: printable(location ?? ''),
    metric: printable(metric),
    count,
    mean: shownMean,
    min: shownMin,
    max: shownMax,
    last:
      typeof last === 'string' ? printable(last) : typeof last === 'number' ? shorten(last) : String(last),
    rate: shownRate,
    per_s: pace,
    time,
  };
}

function shorten(value: number | undefined): number | null {
  return value === undefined ? null : Number(value.toPrecision(SIGNIFICANT_DIGITS));
}

/** Names and values are whoever sent them: what would steer the terminal is not passed on. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '\u{fffd}');
}

function cut(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`;
}
