import type { MetricValue } from '@tidemark/core';
import { decodeName } from './names.ts';

// InfluxDB's JSON, cell by cell. Integers beyond 2^53 are bigints there, whatever the column's type.

export function timeOf(cell: unknown): bigint {
  return BigInt(cell as number | bigint);
}

/** A number, or null where there is none. */
export function numberOf(cell: unknown): number | null {
  return cell === null || cell === undefined ? null : Number(cell);
}

/** A value of a metric, or undefined where the row has none. */
export function metricValueOf(cell: unknown): MetricValue | undefined {
  if (typeof cell === 'string') return cell;
  return numberOf(cell) ?? undefined;
}

/** A tag's value; one that a series does not have is null in a row and empty in a group. */
export function tagOf(cell: unknown): string | undefined {
  return typeof cell === 'string' && cell !== '' ? decodeName(cell) : undefined;
}
