import type { QuarantineFilter, QuarantineItem, QuarantineSummary } from '@tidemark/core';
import type { MetaDb } from '@tidemark/store';

/** Sensors that a summary names. */
const MAX_SENSORS = 100;

/** What is counted of an item. */
export type Counted = Pick<QuarantineItem, 'reason' | 'source' | 'sensor'> & { bytes: number };

interface Group extends Omit<Counted, 'bytes'> {
  count: number;
}

/**
 * How many items the quarantine holds, by reason, source and sensor. Kept in memory, since counting 100 000 rows
 * each time that somebody looks would hold up everything else; it has at most a group for each item.
 */
export class Tally {
  items = 0;
  bytes = 0;
  readonly #groups = new Map<string, Group>();

  constructor(db: MetaDb) {
    const rows = db
      .prepare(
        `SELECT reason, source, sensor, count(*) AS count, sum(length(payload)) AS bytes
         FROM quarantine GROUP BY reason, source, sensor`,
      )
      .all() as unknown as (Group & { sensor: string | null; bytes: number })[];
    for (const { bytes, sensor, ...row } of rows) this.#add({ ...row, sensor: sensor ?? undefined }, bytes);
  }

  /** `by`: 1 for an item that is new, -1 for one that is gone. */
  count({ reason, source, sensor, bytes }: Counted, by: 1 | -1): void {
    this.#add({ reason, source, sensor, count: by }, by * bytes);
  }

  summary(
    filter: Pick<QuarantineFilter, 'reason' | 'source' | 'sensor'>,
  ): Omit<QuarantineSummary, 'evicted'> {
    const byReason = new Map<Group['reason'], number>();
    const bySource = new Map<string, number>();
    const bySensor = new Map<string, number>();
    let total = 0;
    for (const { reason, source, sensor, count } of this.#groups.values()) {
      if (filter.reason !== undefined && filter.reason !== reason) continue;
      if (filter.source !== undefined && filter.source !== source) continue;
      if (filter.sensor !== undefined && filter.sensor !== sensor) continue;
      total += count;
      byReason.set(reason, (byReason.get(reason) ?? 0) + count);
      bySource.set(source, (bySource.get(source) ?? 0) + count);
      if (sensor !== undefined) bySensor.set(sensor, (bySensor.get(sensor) ?? 0) + count);
    }
    return {
      count: total,
      byReason: largest(byReason).map(([reason, count]) => ({ reason, count })),
      bySource: largest(bySource).map(([source, count]) => ({ source, count })),
      bySensor: largest(bySensor)
        .slice(0, MAX_SENSORS)
        .map(([sensor, count]) => ({ sensor, count })),
    };
  }

  #add(group: Group, bytes: number): void {
    this.items += group.count;
    this.bytes += bytes;
    const key = `${group.reason} ${group.source} ${group.sensor ?? ''}`;
    const known = this.#groups.get(key);
    if (known === undefined) this.#groups.set(key, { ...group });
    else if (known.count + group.count === 0) this.#groups.delete(key);
    else known.count += group.count;
  }
}

/** By count, then by name. */
function largest<Name extends string>(counts: Map<Name, number>): [Name, number][] {
  return [...counts].sort(([one, most], [other, more]) => more - most || (one < other ? -1 : 1));
}
