import type { DataType } from '@tidemark/influxql';
import type { Part } from '../parts.ts';

/**
 * SQL that yields points: `g` (their group, a position in a list of groups), `t` (time in ns), columns `v0`, `v1`, …
 * and `o`, which orders points of one group and time.
 */
export interface Relation {
  sql: string;
  /** Types of `v0`, `v1`, … */
  types: readonly DataType[];
  /** False where each group has one point at a time at most. */
  hasTies: boolean;
  /** True where the points come in the order of the answer. */
  isSorted?: boolean | undefined;
  /** What lets an aggregate do with less work; undefined where it may not. */
  shortcuts?: Shortcuts | undefined;
}

/** What is known of points that come straight from the tables. */
export interface Shortcuts {
  /** No point is before it, and it is not before 1970. */
  sinceNs: bigint | undefined;
  /** The group of all the points, where there is but one. */
  onlyGroup: number | undefined;
  /** True where all the points may be in memory at once. */
  isFew: boolean;
  /** The same points as (series, t, value), and (series, g), where most windows hold several points of a series. */
  bySeries: { sql: string; groups: string } | undefined;
  /** (series, w, parts) of all points, with the start of their windows, where some of it is known; and (series, g). */
  summed: (parts: readonly Part[]) => { sql: string; groups: string } | undefined;
}

/** The series of the answer that points belong to. */
export interface Group {
  measurement: string;
  /** By the names of the dimensions; '' where the series has no such tag. */
  tags: ReadonlyMap<string, string>;
}

/** Groups in the order in which they were met; each is known by its measurement and tags. */
export class Groups {
  readonly list: Group[] = [];
  readonly #positions = new Map<string, number>();
  readonly #dimensions: readonly string[];

  constructor(dimensions: readonly string[]) {
    this.#dimensions = dimensions;
  }

  /** The position of a group, added when new. */
  positionOf(measurement: string, tagOf: (key: string) => string): number {
    const values = this.#dimensions.map(tagOf);
    const key = JSON.stringify([measurement, values]);
    let position = this.#positions.get(key);
    if (position === undefined) {
      position = this.list.length;
      this.#positions.set(key, position);
      const tags = new Map(this.#dimensions.map((dimension, index) => [dimension, values[index]!]));
      this.list.push({ measurement, tags });
    }
    return position;
  }
}

const sqlTypes: Record<DataType, string> = {
  float: 'DOUBLE',
  integer: 'BIGINT',
  unsigned: 'UBIGINT',
  string: 'VARCHAR',
  boolean: 'BOOLEAN',
  tag: 'VARCHAR',
  unknown: 'DOUBLE',
};

/** DuckDB's name of a type. */
export function sqlTypeOf(type: DataType): string {
  return sqlTypes[type];
}

/** `v0, v1, …`, each with what `of` says. */
export function valueColumns(
  types: readonly DataType[],
  of: (column: string, index: number) => string,
): string {
  return types.map((_, index) => `${of(`v${index}`, index)} AS v${index}`).join(', ');
}

/** A relation without points. */
export function emptyRelation(types: readonly DataType[]): Relation {
  const columns = valueColumns(types, (_, index) => `NULL::${sqlTypeOf(types[index]!)}`);
  return {
    sql: `SELECT 0 AS g, 0::BIGINT AS t, 0::BIGINT AS o, ${columns} WHERE FALSE`,
    types,
    hasTies: false,
  };
}
