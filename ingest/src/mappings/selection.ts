import { type Conversion, linearConversion, type Mapping, parseConversion } from '@tidemark/core';
import { isOwnKey, type Problem } from '../decoders/fields.ts';
import { namePattern } from './name-pattern.ts';

type Settings = Pick<
  Mapping,
  'include' | 'exclude' | 'rename' | 'units' | 'texts' | 'numbersAsStrings' | 'format'
>;

/** What a field is stored as. */
interface Chosen {
  metric: string;
  conversion: Conversion | undefined;
}

/** Bounded: cleared when full. */
const MAX_KNOWN = 10_000;
const number = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i;
const notFinite = /^[-+]?(?:nan|inf|infinity)$/i;

/** Which fields of a message are metrics, under which names, and what their values become. */
export class Selection {
  readonly #known = new Map<string, Chosen | undefined>();
  readonly #isIncluded: (name: string) => boolean;
  readonly #isExcluded: (name: string) => boolean;
  readonly #rename: ReadonlyMap<string, string>;
  readonly #conversions: ReadonlyMap<string, Conversion>;
  readonly #texts: ReadonlyMap<string, number | boolean>;
  readonly #numbersAsStrings: NonNullable<Mapping['numbersAsStrings']>;

  /** `used` are fields that say something else, such as the time; they are metrics only when they are included. */
  constructor(
    { include, exclude = [], rename = {}, units = {}, texts = {}, numbersAsStrings, format }: Settings,
    used: readonly string[],
  ) {
    this.#isIncluded = include === undefined ? (name) => !used.includes(name) : namePattern(include);
    this.#isExcluded = namePattern(exclude);
    this.#rename = new Map(Object.entries(rename));
    this.#conversions = new Map(Object.entries(units).map(([metric, unit]) => [metric, conversionOf(unit)]));
    this.#texts = new Map(Object.entries(texts));
    // What has no types of its own is read for them.
    this.#numbersAsStrings = numbersAsStrings ?? (format === 'csv' || format === 'value' ? 'parse' : 'text');
  }

  /** What a field is stored as; undefined when it is left out. */
  choose(name: string): Chosen | undefined {
    const before = this.#known.get(name);
    if (before !== undefined || this.#known.has(name)) return before;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    const renamed = this.#rename.get(name);
    const isWanted = this.#isIncluded(name) && !this.#isExcluded(name);
    const chosen =
      isWanted && (renamed !== undefined || !isOwnKey(name)) ? this.as(renamed ?? name) : undefined;
    this.#known.set(name, chosen);
    return chosen;
  }

  /** A metric that the mapping names itself. */
  as(metric: string): Chosen {
    return { metric, conversion: this.#conversions.get(metric) };
  }

  /** The value as it is stored, null for none, or why it cannot be. */
  valueOf({ metric, conversion }: Chosen, given: unknown): { value: unknown } | Problem {
    if (isOwnKey(metric))
      return { reason: 'bad_metric', detail: `${metric} is a name that a reading uses for itself` };
    const value = typeof given === 'string' ? this.#readText(metric, given) : given;
    if (typeof value === 'object' && value !== null && 'reason' in value) return value as Problem;
    if (conversion === undefined || (typeof value !== 'number' && typeof value !== 'bigint'))
      return { value };
    return { value: conversion(Number(value)) };
  }

  #readText(metric: string, text: string): unknown {
    const known = this.#texts.get(text);
    if (known !== undefined || this.#numbersAsStrings === 'text') return known ?? text;
    const trimmed = text.trim();
    const isNumber = number.test(trimmed);
    if (this.#numbersAsStrings === 'refuse') {
      const detail = `${metric} is a number as a string; numbersAsStrings: parse would take it`;
      return isNumber ? { reason: 'wrong_type', detail } : text;
    }
    if (isNumber) return Number(trimmed);
    if (trimmed === 'true' || trimmed === 'false') return trimmed === 'true';
    if (notFinite.test(trimmed)) return { reason: 'not_finite', detail: `${metric} is no finite number` };
    return text;
  }
}

function conversionOf(unit: string | { factor: number; offset: number }): Conversion {
  if (typeof unit !== 'string') return linearConversion(unit.factor, unit.offset);
  const conversion = parseConversion(unit);
  if (typeof conversion === 'string') throw new Error(`units: ${conversion}`);
  return conversion;
}
