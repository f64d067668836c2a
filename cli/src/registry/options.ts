import { idProblem } from '@tidemark/core';
import { InvalidArgumentError } from 'commander';

/** Reads degrees from `-most` to `most`. */
export function coordinateOption(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Math.abs(value) <= most) return value;
    throw new InvalidArgumentError(`It must be a number from -${most} to ${most}.`);
  };
}

/** Collects `key=value`; `key=` is null, which takes the label away. */
export function labelOption(
  text: string,
  previous: Record<string, string | null> = {},
): Record<string, string | null> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be KEY=VALUE.');
  return { ...previous, [text.slice(0, at)]: text.slice(at + 1) || null };
}

/** What is declared of a metric on the command line. */
interface MetricFields {
  unit?: string;
  min?: number;
  max?: number;
}

/** Collects `name`, `name:unit` or `name:unit:min:max`, in which unit, min and max may be empty. */
export function metricOption(
  text: string,
  previous: Record<string, MetricFields> = {},
): Record<string, MetricFields> {
  const [name = '', unit = '', min = '', max = '', ...more] = text.split(':');
  const problem = more.length > 0 ? 'has more than NAME:UNIT:MIN:MAX' : idProblem(name);
  if (problem !== undefined) throw new InvalidArgumentError(`The metric ${problem}.`);
  for (const bound of [min, max])
    if (!Number.isFinite(Number(bound))) throw new InvalidArgumentError(`"${bound}" is no number.`);
  const fields: MetricFields = {
    ...(unit !== '' && { unit }),
    ...(min.trim() !== '' && { min: Number(min) }),
    ...(max.trim() !== '' && { max: Number(max) }),
  };
  return { ...previous, [name]: fields };
}
