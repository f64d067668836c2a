import { z } from '@hono/zod-openapi';
import { formatDuration, type Issue, idProblem, NS_PER_MS, parseDuration, parseTime } from '@tidemark/core';
import { MAX_TIME_NS } from '../query.ts';

// Members that the documents of the registry share. Null, like absence, says that there is none.

// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the purpose
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** An id, 1 to 128 characters of any script. */
export const idMember = z.string({ error: 'must be a string' }).superRefine((id, c) => {
  const problem = idProblem(id);
  if (problem !== undefined) c.addIssue(problem);
});

/** One line of text. */
export function textMember(maxLength: number) {
  return z
    .string({ error: 'must be a string' })
    .min(1, 'is empty')
    .max(maxLength, `is longer than ${maxLength} characters`)
    .refine((text) => !control.test(text) && text.isWellFormed(), 'holds a control character');
}

/** A finite number from `least` to `most`. */
export function numberMember(least = -Number.MAX_VALUE, most = Number.MAX_VALUE) {
  const error =
    most === Number.MAX_VALUE ? 'must be a finite number' : `must be a number from ${least} to ${most}`;
  // Integers beyond 2^53 come as bigints: `parseJson` keeps them exact.
  const asNumber = (value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);
  return z.preprocess(asNumber, z.number({ error }).min(least, error).max(most, error));
}

/** A duration such as `30s` or `1h30m`, of whole milliseconds; read as milliseconds. */
export const intervalMember = z
  .string({ error: 'must be a duration such as 30s or 1h30m' })
  .transform((text, c) => {
    const durationNs = parseDuration(text);
    if (durationNs !== undefined && durationNs % NS_PER_MS === 0n && durationNs <= MAX_TIME_NS)
      return Number(durationNs / NS_PER_MS);
    c.addIssue('must be a duration such as 30s or 1h30m, of whole milliseconds');
    return z.NEVER;
  });

/** How a duration is shown: as it may be given. */
export function intervalText(intervalMs: number | undefined): string | null {
  return intervalMs === undefined ? null : formatDuration(BigInt(intervalMs) * NS_PER_MS);
}

/** A time from 1970 on, as anywhere in the API; read as nanoseconds. */
export const timeMember = z
  .union([z.string(), z.number(), z.bigint()], { error: 'is no time' })
  .transform((value, c) => {
    const timeNs = parseTime(value);
    if (timeNs !== undefined && timeNs >= 0n && timeNs <= MAX_TIME_NS) return timeNs;
    c.addIssue('is no time from 1970 on; use RFC 3339 or an integer');
    return z.NEVER;
  });

/** An object whose members are named by users; `__proto__` is a name too, which z.record passes over. */
export function namedMember<Value>(value: z.ZodType<Value>, maxEntries: number) {
  return z.unknown().transform((given, c): [name: string, value: Value][] => {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) {
      c.addIssue('must be an object');
      return z.NEVER;
    }
    const entries = Object.entries(given);
    if (entries.length > maxEntries) c.addIssue(`has ${entries.length} members; the limit is ${maxEntries}`);
    return entries.slice(0, maxEntries).flatMap(([name, item]): [string, Value][] => {
      const problem = idProblem(name);
      if (problem !== undefined) c.addIssue({ code: 'custom', path: [name], message: `the name ${problem}` });
      const parsed = value.safeParse(item);
      if (parsed.success) return [[name, parsed.data]];
      for (const { path, message } of issuesWithin(parsed.error))
        c.addIssue({ code: 'custom', path: [name, ...path], message });
      return [];
    });
  });
}

function issuesWithin(error: z.ZodError): { path: PropertyKey[]; message: string }[] {
  return error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [...issue.path, key], message: 'no such member' }))
      : [{ path: issue.path, message: issue.message }],
  );
}

/** Members that only the platform sets: they may be sent back as they were answered, and not changed. */
export function readOnlyIssues(
  body: Record<string, unknown>,
  now: Record<string, unknown> | undefined,
  names: readonly string[],
): Issue[] {
  return names
    .filter((name) => Object.hasOwn(body, name))
    .filter((name) => now === undefined || JSON.stringify(body[name]) !== JSON.stringify(now[name]))
    .map((name) => ({ path: name, message: 'is read-only' }));
}
