import { idProblem, parseDuration } from '@tidemark/core';
import { InvalidArgumentError, Option } from 'commander';
import { type MetricKind, type MetricSpec, metricKinds } from './sensor-model.ts';

/** Reads an integer within bounds, for a commander option. */
export function integerOption(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

/** Reads a number above zero and no greater than `most`. */
export function positiveOption(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value > 0 && value <= most) return value;
    throw new InvalidArgumentError(`It must be a number above 0 and up to ${most}.`);
  };
}

/** Collects an option that may be repeated or comma separated. */
export function listOption(text: string, previous: readonly string[] = []): string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.includes('')) throw new InvalidArgumentError('It must be a list without empty items.');
  return [...previous, ...items];
}

/** Checks a duration such as `90s` or `1h30m`; passes its text on. */
export function durationOption(text: string): string {
  if (parseDuration(text) === undefined)
    throw new InvalidArgumentError('It must be a duration such as 90s, 5m or 1d.');
  return text;
}

/** `max` or 0 for as fast as possible, else how many times as fast as the recording. */
export function speedOption(text: string): number {
  return text === 'max' || text === '0' ? Number.POSITIVE_INFINITY : positiveOption(1e9)(text);
}

/** MQTT's quality of service. */
export function qosOption(fallback: 0 | 1 | 2): Option {
  return new Option('--qos <level>', 'MQTT quality of service')
    .choices(['0', '1', '2'])
    .default(fallback)
    .argParser((text) => {
      if (/^[012]$/.test(text)) return Number(text);
      throw new InvalidArgumentError('It must be 0, 1 or 2.');
    });
}

/** Reads `name` or `name:kind`, comma separated. */
export function metricsOption(text: string): MetricSpec[] {
  const specs = text.split(',').map((part) => {
    const [name = '', kind = name] = part.trim().split(':');
    if (!isMetricKind(kind)) {
      throw new InvalidArgumentError(
        `"${kind}" is no kind of metric; use NAME:KIND with ${metricKinds.join(', ')}.`,
      );
    }
    const problem = idProblem(name);
    if (problem !== undefined) throw new InvalidArgumentError(`"${name}" is no metric: it ${problem}.`);
    return { name, kind };
  });
  if (new Set(specs.map(({ name }) => name)).size < specs.length) {
    throw new InvalidArgumentError('A metric is named twice.');
  }
  return specs;
}

function isMetricKind(text: string): text is MetricKind {
  return metricKinds.some((kind) => kind === text);
}
