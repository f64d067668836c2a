import type { FieldType } from '@tidemark/core';
import { newPartition } from './catalog.ts';
import type { Layout, Partition, Sums, TypeLayout } from './layout.ts';
import { partitionFor } from './partitions.ts';

/** What one step brings to one partition. */
export interface Target {
  partition: Partition;
  isNew: boolean;
  rowsAdded: number;
  rowsDeleted: number;
  /** What the partition adds up to after the step; undefined where that is not kept. */
  sums: Sums | undefined;
}

/** The partitions that rows belong to, by the number of rows of each day; missing ones are planned. */
export function planTargets(
  layout: Layout,
  type: FieldType,
  rowsByDay: ReadonlyMap<number, number>,
  maxRows: number,
): Target[] {
  const known = [...layout.of(type).partitions];
  const targets = new Map<Partition, Target>();
  for (const [day, rows] of rowsByDay) {
    let partition = known.find(({ startDay, widthDays }) => day >= startDay && day < startDay + widthDays);
    const isNew = partition === undefined;
    if (partition === undefined) {
      partition = newPartition(layout, type, partitionFor(day, known, maxRows));
      known.push(partition);
    }
    const target = targets.get(partition) ?? {
      partition,
      isNew,
      rowsAdded: 0,
      rowsDeleted: 0,
      sums: undefined,
    };
    target.rowsAdded += rows;
    targets.set(partition, target);
  }
  return [...targets.values()];
}

/** The partition as it is after the step. */
export function grown({ partition, rowsAdded, rowsDeleted, sums }: Target): Partition {
  const { rows, sortedRows, runs } = partition;
  return {
    ...partition,
    rows: rows + rowsAdded - rowsDeleted,
    sortedRows: runs === 0 ? rowsAdded : Math.max(sortedRows - rowsDeleted, 0),
    runs: runs + 1,
    sums,
  };
}

/** Makes the layout what the step made of the file; returns the partitions that were added to. */
export function applyTargets(tables: TypeLayout, targets: readonly Target[]): Partition[] {
  const fresh = targets.filter(({ isNew }) => isNew).map(({ partition }) => partition);
  for (const target of targets) Object.assign(target.partition, grown(target));
  tables.partitions = [...tables.partitions, ...fresh];
  return targets.map(({ partition }) => partition);
}
