import { durationMs } from './duration.ts';
import type { Field, Fields, When } from './field.ts';

const longestText = 10_000;

/** Why the field may not have this value among the other settings; undefined when it may. */
export function fieldProblem(
  fields: Fields,
  name: string,
  value: unknown,
  settings: Readonly<Record<string, unknown>>,
): string | undefined {
  const field = fields[name]!;
  if (!counts(field, settings)) return undefined;
  const isMissing = String(value ?? '').trim() === '';
  if (field.kind === 'text' && field.requiredWhen && isMissing && holds(field.requiredWhen, settings))
    return 'is missing';
  return valueProblem(field, value);
}

/** True unless another setting makes the field pointless. */
export function counts({ when }: Field, settings: Readonly<Record<string, unknown>>): boolean {
  return when === undefined || holds(when, settings);
}

function holds({ field, is }: When, settings: Readonly<Record<string, unknown>>): boolean {
  return is.includes(String(settings[field]));
}

function valueProblem(field: Field, value: unknown): string | undefined {
  const written = String(value ?? '').trim();
  switch (field.kind) {
    case 'number':
      return numberProblem(field, written);
    case 'duration':
      return durationProblem(field, written);
    case 'text':
      return textProblem(field, written);
    case 'choice':
      return field.options.includes(written) ? undefined : `must be one of ${field.options.join(', ')}`;
    case 'switch':
      return typeof value === 'boolean' ? undefined : 'must be true or false';
    case 'server':
      return written === '' ? 'is missing: choose or add a Tidemark server' : undefined;
    case 'secret':
      return undefined;
  }
}

function durationProblem({ isRequired }: Field & { kind: 'duration' }, written: string): string | undefined {
  if (written === '') return isRequired ? 'is missing: write 90s, 10m or 1h30m' : undefined;
  return durationMs(written) === undefined ? 'is no duration: write 90s, 10m or 1h30m' : undefined;
}

function textProblem({ isRequired, pattern }: Field & { kind: 'text' }, written: string): string | undefined {
  if (written === '') return isRequired ? 'is missing' : undefined;
  if (written.length > longestText) return `is longer than ${longestText} characters`;
  return pattern?.test(written) === false ? 'is not written as it must be; see the help' : undefined;
}

function numberProblem(
  { isRequired, isWhole, min, max }: Field & { kind: 'number' },
  written: string,
): string | undefined {
  if (written === '') return isRequired ? 'is missing' : undefined;
  const value = Number(written);
  if (!Number.isFinite(value)) return 'must be a number';
  if (isWhole && !Number.isInteger(value)) return 'must be a whole number';
  if (value < min) return `must be ${min} or more`;
  return value > max ? `must be ${max} or less` : undefined;
}
