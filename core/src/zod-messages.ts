import { z } from 'zod';

const nouns: Partial<Record<string, string>> = {
  int: 'a whole number',
  record: 'an object',
  tuple: 'an array',
};

/** Faults that every schema may find, as people read them; a schema that has more to say says it itself. */
z.config({
  customError: (issue) => {
    if (issue.code === 'invalid_type')
      return issue.input === undefined ? 'is missing' : `must be ${nounOf(issue.expected)}`;
    if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`;
    // Each kind that is taken, with what keeps this from being one of it.
    if (issue.code === 'invalid_union')
      return (
        [...new Set(issue.errors.map((faults) => faults.map(textOf).join(' and ')))].join(', or ') ||
        undefined
      );
    return undefined;
  },
});

function nounOf(type: string): string {
  return nouns[type] ?? `${/^[aeio]/.test(type) ? 'an' : 'a'} ${type}`;
}

function textOf({ path, message }: z.core.$ZodIssue): string {
  return path.length === 0 ? message : `${path.join('.')}: ${message}`;
}
