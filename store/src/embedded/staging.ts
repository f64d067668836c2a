import {
  type FieldType,
  type FieldValue,
  fieldTypeOf,
  fieldTypes,
  type Point,
  type PointColumns,
} from '@tidemark/core';
import type { RejectedPoint } from '../engine.ts';
import { fitTypes, type TypePolicy } from '../type-policy.ts';
import { type ArrivalTable, activeOf, type Layout } from './layout.ts';
import type { Series, SeriesIndex, TagSet } from './series.ts';
import { StagedRows } from './staged-rows.ts';

/** What a batch brings to the tables of one type. */
interface TypeRows {
  hot: StagedRows;
  late: StagedRows;
}

/** What a batch was found to have, by the slots of its columns. */
interface Found {
  tagSets: TagSet[];
  /** Ids of series of floats, by label and name of the field; -1 where none is known yet. */
  floatIds: Int32Array;
}

/** Slots for each point up to which `floatIds` is worth its making. */
const SLOTS_FOR_POINT = 8;

interface StagingOptions {
  layout: Layout;
  series: SeriesIndex;
  typePolicy: TypePolicy;
  maxSeries: number;
}

/** What the rows of a batch go to, in the order of the types. */
export type Changes = readonly (readonly [table: ArrivalTable, rows: StagedRows])[];

type Rejection = Omit<RejectedPoint, 'index'>;

/** Finds what becomes of a batch: the series of its points, and the tables that their rows go to. */
export class Staging {
  readonly #options: StagingOptions;
  readonly #rows: ReadonlyMap<FieldType, TypeRows> = new Map(
    fieldTypes.map((type) => [type, { hot: new StagedRows(type), late: new StagedRows(type) }]),
  );
  /** Series of the fields of the point that is being staged. */
  readonly #found: Series[] = [];

  constructor(options: StagingOptions) {
    this.#options = options;
  }

  /** Stages a batch in the place of the one before; says which points cannot be had. */
  stage(points: PointColumns): RejectedPoint[] {
    for (const { hot, late } of this.#rows.values()) {
      hot.clear();
      late.clear();
    }
    const slots = points.labels.length * points.names.length;
    const floatIds = new Int32Array(slots > SLOTS_FOR_POINT * points.length ? 0 : slots).fill(-1);
    const found: Found = { tagSets: [], floatIds };
    const rejected: RejectedPoint[] = [];
    for (let index = 0; index < points.length; index++) {
      if (this.#stageFloats(points, index, floatIds)) continue;
      const rejection = this.#stagePoint(points, index, found);
      if (rejection !== undefined) rejected.push({ index, ...rejection });
    }
    return rejected;
  }

  /** The tables that something was staged for. */
  changes(): Changes {
    const changes: [ArrivalTable, StagedRows][] = [];
    for (const [type, { hot, late }] of this.#rows) {
      const tables = this.#options.layout.of(type);
      if (hot.length > 0) changes.push([activeOf(tables.hot), hot]);
      if (late.length > 0) changes.push([activeOf(tables.late), late]);
    }
    return changes;
  }

  /** Stages a point if it has floats alone, of series that were found before: of nearly all points that is so. */
  #stageFloats(points: PointColumns, index: number, ids: Int32Array): boolean {
    const firstId = points.labelSlotOf(index) * points.names.length;
    const firstField = points.firstFieldOf(index);
    const fieldEnd = points.fieldEndOf(index);
    if (firstId + points.names.length > ids.length) return false;
    for (let field = firstField; field < fieldEnd; field++)
      if (ids[firstId + points.nameSlotOf(field)] === -1 || !points.isFloat(field)) return false;
    const { hot, late } = this.#rows.get('float')!;
    const { newest } = this.#options.series;
    const low = points.times.lowAt(index);
    const high = points.times.highAt(index);
    for (let field = firstField; field < fieldEnd; field++) {
      const id = ids[firstId + points.nameSlotOf(field)]!;
      const value = points.floatAt(field);
      const isNewest = newest.offerFloat(id, low, high, value);
      (isNewest ? hot : late).pushFloat(id, low, high, value);
    }
    return true;
  }

  #stagePoint(points: PointColumns, index: number, { tagSets, floatIds }: Found): Rejection | undefined {
    const slot = points.labelSlotOf(index);
    let tagSet = tagSets[slot];
    if (tagSet === undefined) {
      const { measurement, tags } = points.labels[slot]!;
      tagSet = this.#options.series.find(measurement, tags);
      if (tagSet !== undefined) tagSets[slot] = tagSet;
    }
    if (tagSet === undefined || !this.#findSeries(tagSet, points, index))
      return this.#stageNew(points.at(index), tagSet);
    const timeNs = points.times.at(index);
    const firstField = points.firstFieldOf(index);
    for (let field = firstField; field < points.fieldEndOf(index); field++) {
      const series = this.#found[field - firstField]!;
      this.#stageValue(series, timeNs, points.valueAt(field));
      const at = slot * points.names.length + points.nameSlotOf(field);
      if (series.type === 'float' && at < floatIds.length) floatIds[at] = series.id;
    }
    return undefined;
  }

  /** True when every field has its series and is of its type: the common case, and the quick one. */
  #findSeries(tagSet: TagSet, points: PointColumns, index: number): boolean {
    const firstField = points.firstFieldOf(index);
    for (let field = firstField; field < points.fieldEndOf(index); field++) {
      const series = tagSet.series.get(points.fieldAt(field));
      if (series?.type !== fieldTypeOf(points.valueAt(field))) return false;
      this.#found[field - firstField] = series;
    }
    return true;
  }

  /** A point that brings a series, or a value of another type than its series has. */
  #stageNew(point: Point, known: TagSet | undefined): Rejection | undefined {
    const { series, typePolicy, maxSeries } = this.#options;
    const fitting = fitTypes(point, series.pinsOf(point.measurement), typePolicy);
    if (typeof fitting === 'string') return { reason: 'type_conflict', detail: fitting };
    const { fields, timeNs } = fitting;
    const fresh = fields.filter(([field]) => !known?.series.has(field));
    if (fresh.length > 0 && series.size + fresh.length > maxSeries)
      return { reason: 'too_many_series', detail: fullText(maxSeries, fresh) };
    // What is refused leaves nothing in memory.
    const tagSet = known ?? series.tagSetOf(point);
    for (const [field, value] of fresh) series.add(tagSet, field, fieldTypeOf(value));
    for (const [field, value] of fields) this.#stageValue(tagSet.series.get(field)!, timeNs, value);
    return undefined;
  }

  #stageValue({ id, type }: Series, timeNs: bigint, value: FieldValue): void {
    const { hot, late } = this.#rows.get(type)!;
    const isNewest = this.#options.series.newest.offer(id, timeNs, value);
    (isNewest ? hot : late).push(id, timeNs, value);
  }
}

function fullText(maxSeries: number, fresh: Point['fields']): string {
  const names = fresh.map(([field]) => field).join(', ');
  return `the store may have ${maxSeries} series, and this point brings more (${names}); raise store.maxSeries`;
}
