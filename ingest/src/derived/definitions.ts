import {
  createPattern,
  type DerivedMetric,
  type Issue,
  invalidConfig,
  messageOf,
  type Tag,
} from '@tidemark/core';
import type { Expression } from './expression.ts';

const NS_PER_SECOND = 1e9;

/** What a derived metric takes of one reading. */
export interface Sample {
  timeNs: bigint;
  /** In the order of the definition's inputs. */
  values: readonly number[];
  /** Of the reading's series. */
  tags: readonly Tag[];
  /** Whose it is, where one sensor tells of several. */
  key: string | undefined;
}

interface Shared {
  metric: string;
  /** Metrics that a reading has to have, with numbers. */
  inputs: readonly string[];
  concerns(sensor: string): boolean;
}

/** Computed from each reading by itself. */
interface ExpressionDefinition extends Shared {
  kind: 'expression';
  compute(values: readonly number[]): number;
}

/** Computed from a reading and the one before it. */
export interface PairDefinition extends Shared {
  kind: 'pair';
  /** The metric whose value has to be the same in both. */
  by: string | undefined;
  /** Readings further apart do not follow one another. */
  withinNs: bigint;
  compute(before: readonly number[], after: readonly number[], seconds: number): number;
}

export type Definition = ExpressionDefinition | PairDefinition;

/** Reads the setting `derived`; throws `config_invalid` with the path of every expression that is none. */
export async function readDefinitions(metrics: readonly DerivedMetric[]): Promise<Definition[]> {
  const names = new Set(metrics.map(({ metric }) => metric));
  const issues: Issue[] = [];
  const hasExpression = metrics.some(({ operator }) => operator.kind === 'expression');
  // Its parser is loaded only where there is anything to parse: it takes some 50 ms.
  const parse = hasExpression ? (await import('./expression.ts')).parseExpression : neverParsed;
  const definitions = metrics.flatMap((one, index) => {
    try {
      return [define(one, names, parse)];
    } catch (error) {
      issues.push({ path: `derived.${index}.expression`, message: messageOf(error) });
      return [];
    }
  });
  if (issues.length === 0) return definitions;
  throw invalidConfig(issues);
}

type Parse = (text: string) => Expression;

const neverParsed: Parse = () => {
  throw new Error('no expression was to be parsed');
};

function define(
  { metric, sensors, operator }: DerivedMetric,
  derived: ReadonlySet<string>,
  parse: Parse,
): Definition {
  const patterns = sensors.map(createPattern);
  const concerns = (sensor: string): boolean => patterns.some((matches) => matches(sensor));
  if (operator.kind === 'expression') {
    const { inputs, compute } = parse(operator.text);
    const circle = inputs.find((input) => derived.has(input));
    if (circle !== undefined) throw new Error(`${circle} is a derived metric itself`);
    return { kind: 'expression', metric, inputs, concerns, compute };
  }
  const { inputs, by, withinNs } = operator;
  return { kind: 'pair', metric, inputs, concerns, by, withinNs, compute: changeOf(operator) };
}

type PairOperator = Exclude<DerivedMetric['operator'], { kind: 'expression' }>;

function changeOf({ kind, perNs, wrapsAt }: PairOperator): PairDefinition['compute'] {
  const perSeconds = perNs === undefined ? undefined : Number(perNs) / NS_PER_SECOND;
  const told = (change: number, seconds: number): number =>
    perSeconds === undefined ? change : (change / seconds) * perSeconds;
  if (kind === 'rate') return ([before], [after], seconds) => told(after! - before!, seconds);
  if (kind === 'counter')
    return ([before], [after], seconds) => told(increaseOf(before!, after!, wrapsAt), seconds);
  return ([x1, y1], [x2, y2], seconds) => told(Math.hypot(x2! - x1!, y2! - y1!), seconds);
}

/** A counter that is lower than before has begun anew: where it wraps, or at any time, from 0. */
function increaseOf(before: number, after: number, wrapsAt: number | undefined): number {
  if (after >= before) return after - before;
  return wrapsAt !== undefined && before <= wrapsAt ? after + wrapsAt - before : after;
}

/** The value of a pair; undefined when the readings do not follow one another, or have no finite one. */
export function valueOfPair(
  { withinNs, compute }: PairDefinition,
  before: Sample | undefined,
  after: Sample,
): number | undefined {
  if (before === undefined) return undefined;
  const apartNs = after.timeNs - before.timeNs;
  if (apartNs <= 0n || apartNs > withinNs) return undefined;
  const value = compute(before.values, after.values, Number(apartNs) / NS_PER_SECOND);
  return Number.isFinite(value) ? value : undefined;
}
