import type { Expression, FillOption } from './ast.ts';
import { ParseError } from './parse-error.ts';

/** What `fill(…)` asks for. */
export function fillOf(argument: Expression | undefined): FillOption {
  if (argument === undefined)
    throw new ParseError('fill requires an argument, e.g.: 0, null, none, previous, linear');
  if (argument.kind === 'number' || argument.kind === 'integer')
    return { kind: 'number', value: argument.value };
  const name = argument.kind === 'reference' ? argument.name : '';
  if (name === 'null' || name === 'none' || name === 'previous' || name === 'linear') return { kind: name };
  throw new ParseError('expected number argument in fill()');
}

/** `ORDER BY` knows nothing but time. */
export function assertTime(name: string): void {
  if (name !== 'time') throw new ParseError('only ORDER BY time supported at this time');
}

/** The zone of `tz('…')`. */
export function zoneOf(argument: Expression): string {
  if (argument.kind !== 'string') throw new ParseError('expected string argument in tz()');
  try {
    new Intl.DateTimeFormat('en', { timeZone: argument.value });
  } catch {
    throw new ParseError(`unable to find time zone ${argument.value}`);
  }
  return argument.value;
}
