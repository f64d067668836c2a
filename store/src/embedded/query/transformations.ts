import type { DataType, Expression } from '@tidemark/influxql';
import { checkType } from './aggregates.ts';
import type { Call, CallScope } from './calls.ts';
import { wrapped } from './expression.ts';
import { directionOf, extended, type Frame } from './frame.ts';
import type { Relation } from './relation.ts';

/** A transformation's points: its input's, in their order, each computed with those before it. */
export function transformed(
  call: Call,
  { frame, context }: CallScope,
  inputOf: (inner: Expression, frame: Frame) => Relation,
): Relation {
  const { name, args } = call;
  const [inner] = args as [Expression];
  const reach = name === 'cumulative_sum' || inner.kind !== 'call' ? frame : extended(frame);
  const input = inputOf(inner, isPassedOver(inner, frame) ? { ...reach, fill: { kind: 'none' } } : reach);
  checkType(name, input.types[0]!);
  const order = `PARTITION BY g ORDER BY t ${directionOf(frame)}, o`;
  // Of several points at one time, the first counts where the time between them matters.
  const once = input.hasTies && (name.endsWith('derivative') || name.endsWith('difference'));
  const first = once ? 'QUALIFY row_number() OVER (PARTITION BY g, t ORDER BY o) = 1' : '';
  // Windows that are filled with nothing are passed over.
  const rows = `SELECT * FROM (${input.sql}) WHERE v0 IS NOT NULL ${first}`;
  const { bindings } = context;
  const unit = (defaultNs: bigint): string =>
    bindings.integer(args[1]?.kind === 'duration' ? args[1].ns : defaultNs);
  const step = stepOf(name, input.types[0]!, {
    order,
    unit,
    length: args[1]?.kind === 'integer' ? bindings.integer(args[1].value) : '1',
    everyNs: frame.interval?.everyNs,
    isDescending: frame.isDescending,
  });
  const isWanted = name.startsWith('non_negative_') ? 'd >= 0' : 'v0 IS NOT NULL';
  return {
    sql: `SELECT g, t, o, v0 FROM (SELECT g, t, o, ${step.sql} AS v0, ${step.sign} AS d FROM (${rows})) WHERE ${isWanted}`,
    types: [step.type],
    hasTies: input.hasTies && !once,
  };
}

/** True where windows without points are filled with nothing, which is passed over: they need not be made. */
function isPassedOver(inner: Expression, { fill }: Frame): boolean {
  return fill.kind === 'null' && !(inner.kind === 'call' && inner.name === 'count');
}

interface Step {
  order: string;
  /** Binds the unit of the function, or the default. */
  unit: (defaultNs: bigint) => string;
  length: string;
  everyNs: bigint | undefined;
  isDescending: boolean;
}

/** SQL of one step, and of what must not be negative. */
function stepOf(
  name: string,
  type: DataType,
  { order, unit, length, everyNs, isDescending }: Step,
): { sql: string; sign: string; type: DataType } {
  const over = `OVER (${order})`;
  const isWhole = type === 'integer' || type === 'unsigned';
  const before = `lag(v0) ${over}`;
  const change = isWhole ? `v0::HUGEINT - (${before})::HUGEINT` : `v0 - ${before}`;
  switch (name) {
    case 'derivative':
    case 'non_negative_derivative': {
      const elapsed = isDescending ? `(lag(t) ${over} - t)` : `(t - lag(t) ${over})`;
      const sql = `CAST(${change} AS DOUBLE) / (${elapsed} / ${unit(everyNs ?? 1_000_000_000n)}::DOUBLE)`;
      return { sql, sign: change, type: 'float' };
    }
    case 'difference':
    case 'non_negative_difference':
      return { sql: isWhole ? wrapped(change, type) : change, sign: change, type };
    case 'elapsed':
      return { sql: `(t - lag(t) ${over}) // ${unit(1n)}`, sign: '0', type: 'integer' };
    case 'moving_average': {
      const frame = `${order} ROWS BETWEEN ${length} - 1 PRECEDING AND CURRENT ROW`;
      const sum = `sum(v0) OVER (${frame})`;
      const mean = `CAST(${sum} AS DOUBLE) / ${length}`;
      return {
        sql: `CASE WHEN row_number() ${over} >= ${length} THEN ${mean} END`,
        sign: '0',
        type: 'float',
      };
    }
    default: {
      const sum = `sum(v0) OVER (${order} ROWS UNBOUNDED PRECEDING)`;
      return { sql: isWhole ? wrapped(sum, type) : sum, sign: '0', type };
    }
  }
}
