import type { FieldType } from '@tidemark/core';
import { type ArrivalTable, emptyTable, type Layout, type Partition } from './layout.ts';
import type { DayRange } from './partitions.ts';
import type { TableKind } from './schema.ts';

// Names end in a generation that no other table ever has, so a name says exactly which rows are meant.

/** A new table for rows in arrival order; not yet created. */
export function newArrivalTable(layout: Layout, type: FieldType, kind: 'hot' | 'late'): ArrivalTable {
  const generation = layout.nextGeneration();
  return emptyTable(`${kind}_${type}_${generation}`, generation);
}

/** A new, empty partition; not yet created. */
export function newPartition(layout: Layout, type: FieldType, range: DayRange): Partition {
  const { startDay, widthDays } = range;
  const generation = layout.nextGeneration();
  const name = `part_${type}_${startDay}_${widthDays}_${generation}`;
  return { name, generation, startDay, widthDays, rows: 0, sortedRows: 0, runs: 0, sums: undefined };
}

/** A new table for what a partition adds up to, listed with the days of it; not yet created. */
export function newSums(generation: number, type: FieldType, partition: Partition): Partition {
  const { startDay, widthDays } = partition;
  return { ...partition, name: `sums_${type}_${startDay}_${widthDays}_${generation}`, generation };
}

/** SQL that lists a table in the catalog; every value is ours. */
export function insertCatalog(table: ArrivalTable | Partition, kind: TableKind, type: FieldType): string {
  const { startDay, widthDays, rows, sortedRows, runs } =
    'startDay' in table ? table : { startDay: 0, widthDays: 0, rows: 0, sortedRows: 0, runs: 0 };
  const numbers = [table.generation, startDay, widthDays, rows, sortedRows, runs].join(', ');
  return `INSERT INTO tables VALUES ('${table.name}', '${kind}', '${type}', ${numbers})`;
}

/** SQL that takes a table off the catalog. */
export function deleteCatalog({ name }: { name: string }): string {
  return `DELETE FROM tables WHERE name = '${name}'`;
}
