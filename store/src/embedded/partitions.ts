/** A stretch of whole days since 1970: a power of two of them, starting at a multiple of their number. */
export interface DayRange {
  startDay: number;
  widthDays: number;
}

interface Filled extends DayRange {
  rows: number;
}

/** Width of a partition where little is known: 512 days. */
export const MAX_WIDTH_DAYS = 512;

/**
 * The days of a new partition that holds `day`: as wide as fits between the existing ones, unless the
 * nearest of them is so dense that one this wide would soon be over `maxRows` and split.
 */
export function partitionFor(day: number, existing: readonly Filled[], maxRows: number): DayRange {
  let range = alignedRange(day, MAX_WIDTH_DAYS);
  const limitDays = widthByDensity(day, existing, maxRows);
  while (
    range.widthDays > 1 &&
    (range.widthDays > limitDays || existing.some((other) => overlap(range, other)))
  ) {
    range = alignedRange(day, range.widthDays / 2);
  }
  return range;
}

/**
 * Splits a range into halves until none that is wider than a day holds more than `maxRows`; halves
 * without rows are left out. `rowsByDay` counts the rows of each day.
 */
export function splitRange(
  range: DayRange,
  rowsByDay: ReadonlyMap<number, number>,
  maxRows: number,
): DayRange[] {
  const rows = countRows(range, rowsByDay);
  if (rows === 0) return [];
  if (rows <= maxRows || range.widthDays === 1) return [range];
  const widthDays = range.widthDays / 2;
  return [
    ...splitRange({ startDay: range.startDay, widthDays }, rowsByDay, maxRows),
    ...splitRange({ startDay: range.startDay + widthDays, widthDays }, rowsByDay, maxRows),
  ];
}

function alignedRange(day: number, widthDays: number): DayRange {
  return { startDay: Math.floor(day / widthDays) * widthDays, widthDays };
}

function widthByDensity(day: number, existing: readonly Filled[], maxRows: number): number {
  let nearest: Filled | undefined;
  let nearestDistance = Number.POSITIVE_INFINITY;
  for (const other of existing) {
    const distance =
      day < other.startDay ? other.startDay - day : day - (other.startDay + other.widthDays - 1);
    if (distance < nearestDistance) {
      nearest = other;
      nearestDistance = distance;
    }
  }
  return nearest === undefined ? MAX_WIDTH_DAYS : (maxRows * nearest.widthDays) / Math.max(nearest.rows, 1);
}

function overlap(a: DayRange, b: DayRange): boolean {
  return a.startDay < b.startDay + b.widthDays && b.startDay < a.startDay + a.widthDays;
}

function countRows({ startDay, widthDays }: DayRange, rowsByDay: ReadonlyMap<number, number>): number {
  let rows = 0;
  for (const [day, count] of rowsByDay) if (day >= startDay && day < startDay + widthDays) rows += count;
  return rows;
}
