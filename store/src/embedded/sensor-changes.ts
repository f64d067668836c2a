import { VARCHAR } from '@duckdb/node-api';
import { type FieldType, fieldTypes, TidemarkError } from '@tidemark/core';
import { deleteCatalog, insertCatalog } from './catalog.ts';
import type { Database } from './database.ts';
import { type ArrivalTable, isPartition, type Partition, without } from './layout.ts';
import type { Reader } from './reader.ts';
import { lastTable, MAX_TIME_NS, MIN_TIME_NS, quote } from './schema.ts';
import { renamedTags, type Series, type TagSet } from './series.ts';

interface SensorChangesOptions {
  database: Database;
  reader: Reader;
}

/** A table that rows were deleted from. */
interface Shrunk {
  table: ArrivalTable | Partition;
  rows: number;
}

/**
 * Changes of all that one sensor has, each in one transaction: a crash leaves it done or not begun. No write
 * and no step of compaction may run beside them; queries may.
 */
export class SensorChanges {
  readonly #database: Database;
  readonly #reader: Reader;

  constructor({ database, reader }: SensorChangesOptions) {
    this.#database = database;
    this.#reader = reader;
  }

  /** How many values the sensor's series hold. */
  count(sensor: string): Promise<number> {
    return this.#count(seriesOf(this.#reader.series.tagSetsOf(sensor)));
  }

  /** Removes the sensor's series; answers how many values they held. */
  async delete(sensor: string): Promise<{ points: number }> {
    const database = this.#database;
    const { series: index } = this.#reader;
    const tagSets = index.tagSetsOf(sensor);
    const series = seriesOf(tagSets);
    if (series.length === 0) return { points: 0 };
    const points = await this.#count(series);
    const shrunk: Shrunk[] = [];
    await database.compactAtomically(async () => {
      for (const type of fieldTypes) {
        const ids = idList(series.filter((one) => one.type === type));
        if (ids !== undefined) shrunk.push(...(await this.#deleteRows(type, ids)));
      }
      await database.compact(`DELETE FROM series WHERE id IN (${idList(series)})`);
    });
    index.remove(tagSets);
    this.#reader.beginnings.forget();
    for (const { table, rows } of shrunk) Object.assign(table, without(table, rows));
    return { points };
  }

  /** Gives the series of `from` to `to`; refuses when both have some (`conflict`). */
  async rename(from: string, to: string): Promise<void> {
    const { series: index } = this.#reader;
    const tagSets = index.tagSetsOf(from).filter(({ series }) => series.size > 0);
    if (tagSets.length === 0 || from === to) return;
    if (seriesOf(index.tagSetsOf(to)).length > 0) {
      throw new TidemarkError('conflict', `the store has data of ${JSON.stringify(to)} already`);
    }
    await this.#database.compactAtomically(async () => {
      for (const { tags, series } of tagSets) {
        const parameters = { tags: [JSON.stringify(renamedTags(tags, to)), VARCHAR] } as const;
        const ids = idList([...series.values()]);
        await this.#database.compact(`UPDATE series SET tags = $tags WHERE id IN (${ids})`, parameters);
      }
    });
    index.rename(tagSets, to);
    this.#reader.beginnings.forget();
  }

  /** Values that queries find, so that one that was written twice counts once. */
  async #count(series: readonly Series[]): Promise<number> {
    let points = 0;
    for (const type of fieldTypes) {
      const wanted = series.filter((one) => one.type === type);
      if (wanted.length === 0) continue;
      await this.#reader.read(
        { type, wanted, fromNs: MIN_TIME_NS, toNs: MAX_TIME_NS + 1n },
        ({ sql }) => ({ sql: `SELECT count(*) FROM ${sql}` }),
        ([[count] = [0n]]) => {
          points += Number(count);
        },
      );
    }
    return points;
  }

  async #deleteRows(type: FieldType, ids: string): Promise<Shrunk[]> {
    const database = this.#database;
    const { hot, late, partitions } = this.#reader.layout.of(type);
    const shrunk: Shrunk[] = [];
    await database.compact(`DELETE FROM ${quote(lastTable(type))} WHERE series IN (${ids})`);
    for (const table of [...hot, ...late, ...partitions]) {
      const deleted = await database.compact(`DELETE FROM ${quote(table.name)} WHERE series IN (${ids})`);
      const rows = Number(deleted[0]?.[0]);
      if (rows === 0) continue;
      shrunk.push({ table, rows });
      if (!isPartition(table)) continue;
      // Whole series go, so that the sums of the others stay true.
      if (table.sums !== undefined)
        await database.compact(`DELETE FROM ${quote(table.sums.name)} WHERE series IN (${ids})`);
      await database.compact(deleteCatalog(table));
      await database.compact(insertCatalog(without(table, rows), 'part', type));
    }
    return shrunk;
  }
}

function seriesOf(tagSets: readonly TagSet[]): Series[] {
  return tagSets.flatMap(({ series }) => [...series.values()]);
}

/** Ids as SQL; undefined for none. */
function idList(series: readonly Series[]): string | undefined {
  return series.length === 0 ? undefined : series.map(({ id }) => id).join(', ');
}
