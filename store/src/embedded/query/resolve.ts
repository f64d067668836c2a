import {
  type CastType,
  type CompiledSelect,
  columnNames,
  type DataType,
  type Expression,
  extraColumns,
  fieldName,
  type MeasurementSource,
  QueryError,
  rewrite,
  type SelectField,
  typeOfCast,
  widerType,
} from '@tidemark/influxql';
import { compareText } from '../../order.ts';
import type { Catalog } from './catalog.ts';
import { expandDimensions, expandFields, type Known, mayExpand } from './expand.ts';
import type { Regexes } from './regexes.ts';
import { typeOf } from './types.ts';

/** InfluxDB's name of the retention policy that keeps points for ever. */
export const RETENTION_POLICY = 'autogen';

/** Of an answer. */
const MAX_COLUMNS = 4096;

/** A SELECT whose names are known: wildcards are expanded, and each reference's cast is its type. */
export interface ResolvedSelect extends Omit<CompiledSelect, 'sources' | 'dimensions' | 'fields' | 'filter'> {
  fields: readonly SelectField[];
  /** Names of the columns of the fields and of what `top` and `bottom` add, without time. */
  columns: readonly string[];
  sources: readonly ResolvedSource[];
  /** Tags to group by. */
  dimensions: readonly string[];
  filter: Expression | undefined;
}

export type ResolvedSource =
  | { kind: 'measurement'; name: string }
  | { kind: 'subquery'; select: ResolvedSelect };

export interface ResolveContext {
  catalog: Catalog;
  regexes: Regexes;
  /** The name of the one database. */
  database: string;
}

/** Looks all names up; throws QueryError where the types found do not go together. */
export function resolveSelect(select: CompiledSelect, context: ResolveContext): ResolvedSelect {
  const sources = select.sources.flatMap((source): ResolvedSource[] =>
    source.kind === 'subquery'
      ? [{ kind: 'subquery', select: resolveSelect(source.select, context) }]
      : measurementsOf(source, context).map((name) => ({ kind: 'measurement', name })),
  );
  const typed = (expression: Expression): Expression =>
    rewrite(expression, (node) => {
      if (node.kind !== 'reference' || typeOfCast(node.cast) !== undefined) return node;
      return { ...node, cast: castOf(typeOfName(node.name, sources, context.catalog)) };
    });
  const fields = select.fields.map(({ expression, alias }) => ({ expression: typed(expression), alias }));
  const expanded = expand(select, fields, sources, context);
  if (expanded.fields.length > MAX_COLUMNS) {
    throw new QueryError(`max-select-columns limit exceeded: (${expanded.fields.length}/${MAX_COLUMNS})`);
  }
  for (const { expression } of expanded.fields) typeOf(expression);
  return {
    ...select,
    ...expanded,
    columns: columnNames(expanded.fields),
    sources,
    filter: select.filter && typed(select.filter),
  };
}

/** The type of a select's column, as an outer query sees it. */
function typeOfColumn(select: ResolvedSelect, name: string): DataType {
  for (const field of select.fields) {
    if (fieldName(field) === name) return typeOf(field.expression);
    const extra = extraColumns(field).find((column) => fieldName(column) === name);
    if (extra !== undefined) return typeOf(extra.expression);
  }
  return 'unknown';
}

function castOf(type: DataType): CastType | undefined {
  return type === 'unknown' ? undefined : type;
}

function measurementsOf(source: MeasurementSource, context: ResolveContext): string[] {
  checkPlace(source, context.database);
  const { name, regex } = source;
  if (name !== undefined) return [name];
  return context.catalog
    .measurements()
    .filter((found) => regex !== undefined && context.regexes.test(regex, found));
}

function typeOfName(name: string, sources: readonly ResolvedSource[], catalog: Catalog): DataType {
  let type: DataType = 'unknown';
  for (const source of sources) {
    if (source.kind === 'measurement') {
      type = widerType(type, catalog.typeOf(source.name, name));
    } else {
      type = widerType(type, typeOfColumn(source.select, name));
      if (type === 'unknown' && source.select.dimensions.includes(name)) type = 'tag';
    }
  }
  return type;
}

function expand(
  select: CompiledSelect,
  fields: readonly SelectField[],
  sources: readonly ResolvedSource[],
  { catalog, regexes }: ResolveContext,
): { fields: readonly SelectField[]; dimensions: readonly string[] } {
  const hasAll = select.dimensions.some(({ kind }) => kind !== 'tag');
  const named = select.dimensions.flatMap((dimension) => (dimension.kind === 'tag' ? [dimension.name] : []));
  if (!hasAll && !fields.some(({ expression }) => mayExpand(expression)))
    return { fields, dimensions: named };
  const known = knownNames(sources, catalog);
  const dimensions = expandDimensions(select.dimensions, known, regexes);
  // Tags are fields as well, unless they are grouped by.
  const tags = hasAll ? [] : [...known.tags].filter((tag) => !named.includes(tag));
  const columns = [
    ...[...known.fields].map(([name, type]) => ({ name, type })),
    ...(known.fields.size === 0 ? [] : tags.map((name) => ({ name, type: 'tag' as const }))),
  ].sort((a, b) => compareText(a.name, b.name));
  return { fields: expandFields(fields, columns, regexes), dimensions };
}

function knownNames(sources: readonly ResolvedSource[], catalog: Catalog): Known {
  const fields = new Map<string, DataType>();
  const tags = new Set<string>();
  const add = (name: string, type: DataType): void => {
    fields.set(name, widerType(fields.get(name) ?? 'unknown', type));
  };
  for (const source of sources) {
    if (source.kind === 'measurement') {
      for (const [name, type] of catalog.fields(source.name)) add(name, type);
      for (const key of catalog.tagKeys(source.name)) tags.add(key);
    } else {
      for (const field of source.select.fields) add(fieldName(field), typeOf(field.expression));
      for (const dimension of source.select.dimensions) tags.add(dimension);
    }
  }
  return { fields, tags };
}

/** There is one database, with one retention policy. */
function checkPlace({ database, retentionPolicy }: MeasurementSource, ours: string): void {
  if (database !== undefined && database !== ours) throw new QueryError(`database not found: ${database}`);
  if (retentionPolicy !== undefined && retentionPolicy !== RETENTION_POLICY) {
    throw new QueryError(`retention policy not found: ${retentionPolicy}`);
  }
}
