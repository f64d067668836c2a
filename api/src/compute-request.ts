import { parseQueryTime, parseWindowFunction, type WindowFunction } from '@tidemark/core';
import { clampTime } from './query.ts';

/** What can be computed of a body of `POST /compute/metrics`. */
export interface ComputeRequest {
  /** Inclusive. */
  fromNs: bigint;
  /** Inclusive. */
  toNs: bigint;
  /** For each metric the names asked for, in the order of the body, with the functions that they stand for. */
  wanted: ReadonlyMap<string, Functions>;
}

type Functions = ReadonlyMap<string, WindowFunction>;

interface Body {
  /** Members in the order of the text. */
  members: ReadonlyMap<string, unknown>;
  /** Metrics that have numbers in the store. */
  knownMetrics: ReadonlySet<string>;
  nowNs: bigint;
}

const bounds = ['from', 'to'];
const timeAdvice = 'write RFC 3339, YYYY-MM-DD hh:mm:ss (UTC) or an integer of s, ms, µs or ns';
/** As long as an id may be; an answer must not be many times its request. */
const maxShown = 128;

/** What a body asks for, and all that is wrong with it, in its order; no request when nothing can be computed. */
export function readComputeRequest({ members, knownMetrics, nowNs }: Body): {
  request: ComputeRequest | undefined;
  errors: string[];
} {
  const wanted = new Map<string, Functions>();
  const errors: string[] = [];
  let isWhole = true;
  for (const [key, value] of members) {
    if (bounds.includes(key)) {
      if (parseQueryTime(value, nowNs) === undefined) errors.push(unexpectedValue(key, value, timeAdvice));
    } else if (!knownMetrics.has(key)) {
      errors.push(`Unexpected key ${shown(key)} in the request body`);
    } else if (Array.isArray(value)) {
      const functions = readFunctions(key, value, errors);
      if (functions.size > 0) wanted.set(key, functions);
    } else {
      errors.push(unexpectedValue(key, value, 'write a list of metrics'));
      isWhole = false;
    }
  }
  errors.push(...missingIn(members));
  const [fromNs, toNs] = bounds.map((key) => parseQueryTime(members.get(key), nowNs));
  if (fromNs === undefined || toNs === undefined) return { request: undefined, errors };
  if (toNs < fromNs) errors.push(unexpectedValue('to', members.get('to'), 'it is before from'));
  if (!isWhole || toNs < fromNs || wanted.size === 0) return { request: undefined, errors };
  return { request: { fromNs: clampTime(fromNs), toNs: clampTime(toNs), wanted }, errors };
}

function missingIn(members: Body['members']): string[] {
  const errors = bounds
    .filter((key) => !members.has(key))
    .map((key) => `Missing key ${key} in the request body`);
  const hasMetrics = [...members.keys()].some((key) => !bounds.includes(key));
  return hasMetrics ? errors : [...errors, 'Missing metrics to compute in the request body'];
}

/** The functions that a list names; `average` is another name of `mean`. */
function readFunctions(metric: string, names: readonly unknown[], errors: string[]): Functions {
  const functions = new Map<string, WindowFunction>();
  for (const name of names) {
    const fn = functionOf(name);
    if (fn !== undefined) functions.set(String(name), fn);
    else errors.push(`Unexpected metric ${shown(name)} to compute for the sensor ${shown(metric)}`);
  }
  if (names.length === 0) errors.push(`Missing metrics to compute for the sensor ${shown(metric)}`);
  return functions;
}

function functionOf(name: unknown): WindowFunction | undefined {
  if (typeof name !== 'string') return undefined;
  return name === 'average' ? 'mean' : parseWindowFunction(name);
}

function unexpectedValue(key: string, value: unknown, advice: string): string {
  return `Unexpected value ${shown(value)} for the key ${key} in the request body: ${advice}`;
}

function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? '[…]' : '{…}';
  const text = String(value);
  return text.length <= maxShown ? text : `${text.slice(0, maxShown)}…`;
}
