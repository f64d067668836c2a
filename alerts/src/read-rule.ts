import {
  type Condition,
  type Issue,
  idProblem,
  NS_PER_MS,
  parseDuration,
  qualityChecks,
  type Rule,
  ruleIdPattern,
  severities,
  type ValueRange,
} from '@tidemark/core';
import { z } from 'zod';

/** The members that say what a rule is about; a rule has one of them. */
const kinds = ['above', 'below', 'inside', 'outside', 'rate', 'absent', 'stuck', 'quality'] as const;
const kindsWithClear = ['above', 'below', 'inside', 'outside'];
/** A failed check counts for so long, unless the rule says otherwise: checks are counted by minute. */
const QUALITY_WITHIN = '10m';
/** Decision 8: replaying a recording of years ago must page nobody. */
const NOTIFY_WITHIN = '10m';

const number = z.number({ error: 'must be a number' });
const range = z
  .tuple([number, number], { error: 'must be two numbers, the lower one first' })
  .refine(([low, high]) => !(low > high), { error: 'must have the lower number first' });
const duration = z
  .string({ error: 'must be a duration, such as 90s or 10m' })
  .refine((text) => parseDuration(text) !== undefined, { error: durationFault });
const durationOrZero = z
  .string({ error: 'must be a duration, such as 2m, or 0s' })
  .refine((text) => /^0[a-z]+$/.test(text) || parseDuration(text) !== undefined, { error: durationFault });
const name = z.string().refine((id) => idProblem(id) === undefined, {
  error: ({ input }) => idProblem(String(input)) ?? 'is no id',
});
const checks = z.union([z.literal('any'), z.enum(qualityChecks), z.array(z.enum(qualityChecks)).min(1)], {
  error: `must be any, or a list of ${qualityChecks.join(', ')}`,
});

/** A rule as people write it, in YAML and JSON. */
const schema = z.strictObject({
  id: z.string().regex(ruleIdPattern, {
    error: 'must be 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or a digit',
  }),
  metric: name.optional(),
  sensors: z
    .union([pattern(), z.array(pattern()).min(1).max(1000)], {
      error: 'must be an id with * for any text, or a list of them',
    })
    .optional(),
  location: name.optional(),
  labels: z.record(z.string(), z.string()).optional(),
  above: number.optional(),
  below: number.optional(),
  inside: range.optional(),
  outside: range.optional(),
  rate: z
    .strictObject({ above: number.optional(), below: number.optional(), per: duration })
    .refine(({ above, below }) => above !== undefined || below !== undefined, {
      error: 'needs above, below or both',
    })
    .refine(({ above, below }) => above === undefined || below === undefined || below <= above, {
      error: 'must have below no greater than above',
    })
    .optional(),
  absent: duration.optional(),
  stuck: duration.optional(),
  quality: z.union([checks, z.strictObject({ checks, within: duration })]).optional(),
  clear: z.union([number, range], { error: 'must be a number, or two with inside and outside' }).optional(),
  for: durationOrZero.optional(),
  severity: z.enum(severities, { error: `must be one of ${severities.join(', ')}` }).optional(),
  message: z.string().min(1).max(1000).optional(),
  notify: z.array(z.string().min(1).max(64)).max(100).optional(),
  notifyWithin: duration.optional(),
  enabled: z.boolean().optional(),
});

type RuleDocument = z.output<typeof schema>;

/** Reads a rule as people write it: the rule, or everything that is wrong with it, each with its path. */
export function readRule(document: unknown): Rule | Issue[] {
  const parsed = schema.safeParse(document);
  const issues = [...(parsed.error ? parsed.error.issues.flatMap(toIssues) : []), ...crossFaults(document)];
  if (issues.length > 0 || !parsed.success) return issues;
  return toRule(parsed.data);
}

function toRule(document: RuleDocument): Rule {
  const { id, metric, sensors, location, labels, severity, message, notify, enabled } = document;
  return {
    id,
    metric,
    sensors: sensors === undefined ? undefined : [sensors].flat(),
    location,
    labels: labels && Object.assign(Object.create(null), labels),
    condition: conditionOf(document),
    forMs: toMs(document.for ?? '0s'),
    severity: severity ?? 'warning',
    message: message ?? defaultMessage(document),
    notify: notify ?? [],
    notifyWithinMs: toMs(document.notifyWithin ?? NOTIFY_WITHIN),
    isEnabled: enabled ?? true,
  };
}

function conditionOf({
  above,
  below,
  inside,
  outside,
  rate,
  absent,
  stuck,
  quality,
  clear,
}: RuleDocument): Condition {
  const number = typeof clear === 'number' ? clear : undefined;
  const pair: ValueRange | undefined = typeof clear === 'object' ? clear : undefined;
  if (above !== undefined) return { kind: 'above', threshold: above, clear: number ?? above };
  if (below !== undefined) return { kind: 'below', threshold: below, clear: number ?? below };
  if (inside !== undefined) return { kind: 'inside', range: inside, clear: pair ?? inside };
  if (outside !== undefined) return { kind: 'outside', range: outside, clear: pair ?? outside };
  if (absent !== undefined) return { kind: 'absent', afterMs: toMs(absent) };
  if (stuck !== undefined) return { kind: 'stuck', afterMs: toMs(stuck) };
  if (rate !== undefined) {
    const { above = Number.POSITIVE_INFINITY, below = Number.NEGATIVE_INFINITY, per } = rate;
    return { kind: 'rate', above, below, perMs: toMs(per) };
  }
  const isLong = typeof quality === 'object' && !Array.isArray(quality);
  const named = isLong ? quality.checks : quality!;
  return {
    kind: 'quality',
    checks: named === 'any' ? qualityChecks : [named].flat(),
    withinMs: toMs(isLong ? quality.within : QUALITY_WITHIN),
  };
}

/** What a single member does not show; told together with the faults of the members, so as far as these can be read. */
function crossFaults(document: unknown): Issue[] {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return [];
  const rule = document as Record<string, unknown>;
  const given = kinds.filter((kind) => rule[kind] !== undefined);
  if (given.length !== 1) {
    const message = `needs one of ${kinds.join(', ')}`;
    return [
      { path: '', message: given.length === 0 ? message : `${message}; it has ${given.join(' and ')}` },
    ];
  }
  const kind = given[0]!;
  const issues: Issue[] = [];
  if (kind === 'quality' && rule.metric !== undefined)
    issues.push({ path: 'metric', message: 'does not go with quality, which is of sensors' });
  if (!['quality', 'absent'].includes(kind) && rule.metric === undefined)
    issues.push({ path: 'metric', message: 'is missing: say which metric the rule is about' });
  if (['quality', 'absent', 'stuck'].includes(kind) && rule.for !== undefined)
    issues.push({ path: 'for', message: `does not go with ${kind}, which has its own duration` });
  if (rule.clear !== undefined) {
    const fault = clearFault(kind, rule[kind], rule.clear);
    if (fault !== undefined) issues.push({ path: 'clear', message: fault });
  }
  return issues;
}

function clearFault(kind: string, threshold: unknown, clear: unknown): string | undefined {
  if (!kindsWithClear.includes(kind)) return `does not go with ${kind}`;
  if (Array.isArray(threshold)) {
    if (!Array.isArray(clear)) return `must be two numbers, as ${kind} has`;
    const [low, high] = threshold as number[];
    const [clearLow, clearHigh] = clear as number[];
    if (kind === 'inside' && (clearLow! > low! || clearHigh! < high!)) return 'must hold the range of inside';
    if (kind === 'outside' && (clearLow! < low! || clearHigh! > high!))
      return 'must lie within the range of outside';
    return undefined;
  }
  if (typeof threshold !== 'number') return undefined;
  if (typeof clear !== 'number') return Array.isArray(clear) ? `must be a number, as ${kind} has` : undefined;
  if (kind === 'above' && clear > threshold) return `must not be above ${threshold}, where the alert begins`;
  if (kind === 'below' && clear < threshold) return `must not be below ${threshold}, where the alert begins`;
  return undefined;
}

function pattern() {
  return z
    .string()
    .min(1)
    .max(256)
    .refine((text) => !/[/+#]/.test(text), {
      error: 'is no pattern of sensors: ids hold no / + #; * is any text',
    });
}

function durationFault({ input }: { input?: unknown }): string {
  const text = String(input);
  if (text.startsWith('-')) return `must not be negative: ${text}`;
  return `is no duration: ${JSON.stringify(text)}; write 90s, 10m or 1h30m`;
}

function toMs(text: string): number {
  return Number(parseDuration(text) ?? 0n) / Number(NS_PER_MS);
}

function defaultMessage({ absent, quality, metric }: RuleDocument): string {
  if (absent !== undefined)
    return `{sensor} has sent ${metric === undefined ? 'nothing' : `no ${metric}`} for ${absent}`;
  if (quality !== undefined) return '{sensor} fails its checks';
  return '{metric} of {sensor} is {value}';
}

function toIssues(issue: z.core.$ZodIssue): Issue[] {
  const path = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
  return issue.keys.map((key) => ({ path: path === '' ? key : `${path}.${key}`, message: 'no such member' }));
}
