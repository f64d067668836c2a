import { INTEGER, LIST, listValue } from '@duckdb/node-api';
import { TRAVELLERS, tagOf } from '@tidemark/core';
import type { TravellersQuery } from '../travellers.ts';
import type { Parameters } from './database.ts';
import type { Series, SeriesIndex } from './series.ts';

/** The travellers of one type at one sensor. */
interface TravellerGroup {
  sensor: string;
  type: string;
}

/** One slot of a group. */
interface SlotSeries {
  /** Position of its group. */
  group: number;
  elapsed: Series;
  speed: Series | undefined;
  traveller: Series | undefined;
}

/** What is asked for; a slot without `elapsed_ns` holds no position. */
export interface WantedTravellers {
  groups: readonly TravellerGroup[];
  slots: readonly SlotSeries[];
}

export function wantedTravellers(
  index: SeriesIndex,
  { sensors = [], types = [] }: TravellersQuery,
): WantedTravellers {
  const groups: TravellerGroup[] = [];
  const known = new Map<string, number>();
  const slots: SlotSeries[] = [];
  for (const { sensor, tags, series } of index.tagSetsIn(TRAVELLERS)) {
    const type = tagOf(tags, 'type') ?? '';
    if (sensors.length > 0 && !sensors.includes(sensor)) continue;
    if (types.length > 0 && !types.includes(type)) continue;
    const elapsed = series.get('elapsed_ns');
    if (elapsed?.type !== 'float') continue;
    const key = JSON.stringify([sensor, type]);
    const group = known.get(key) ?? groups.push({ sensor, type }) - 1;
    known.set(key, group);
    slots.push({ group, elapsed, speed: series.get('speed'), traveller: series.get('traveller') });
  }
  return { groups, slots };
}

/** Lists of the ids of series and of what belongs to each, as a table of the columns. */
export function idTable(columns: Readonly<Record<string, readonly number[]>>): {
  sql: string;
  parameters: Parameters;
} {
  const names = Object.keys(columns);
  const cells = names.map((name) => `unnest($${name}s) AS ${name}`);
  const lists = names.map((name) => [`${name}s`, [listValue(columns[name]!), LIST(INTEGER)]] as const);
  return { sql: `(SELECT ${cells.join(', ')})`, parameters: Object.fromEntries(lists) };
}
