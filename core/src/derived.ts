import { z } from 'zod';
import { idProblem } from './ids.ts';
import { parseDuration } from './time.ts';

const MAX_DERIVED = 1000;
const NS_PER_SECOND = 1_000_000_000n;
const HOUR_NS = 3600n * NS_PER_SECOND;

const metricName = z.string().refine((name) => idProblem(name) === undefined, {
  error: ({ input }) => `a metric's name ${idProblem(String(input))}`,
});
const duration = z
  .string()
  .refine((text) => parseDuration(text) !== undefined, 'must be a duration, as 90s, 5m or 1h')
  .transform((text) => parseDuration(text)!);

/** Which of its keys tells the operator of a derived metric. */
const operators = ['expression', 'rate', 'counter', 'speed'] as const;

const derivedMetric = z.strictObject({
  /** The name that it is stored under. */
  metric: metricName,
  unit: z.string().min(1).max(64).optional(),
  /** Sensors it is derived for; `*` stands for any text. */
  sensors: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(100)])
    .default('*')
    .transform((patterns) => (typeof patterns === 'string' ? [patterns] : patterns)),
  expression: z.string().min(1).max(2000).optional(),
  rate: metricName.optional(),
  counter: metricName.optional(),
  speed: z.tuple([metricName, metricName]).optional(),
  /** Only readings with the same value of this metric follow one another. */
  by: metricName.optional(),
  /** The time that a change is told for; a second by default, and for a counter no time: its increase. */
  per: duration.optional(),
  /** Readings further apart do not follow one another. */
  within: duration.default(HOUR_NS),
  /** Where a counter begins anew at 0. */
  wrapsAt: z.number().positive().optional(),
});

type DerivedInput = z.output<typeof derivedMetric>;

/** A metric that the platform computes from others of the same sensor. */
export type DerivedMetric = Pick<DerivedInput, 'metric' | 'unit' | 'sensors'> & {
  operator:
    | { kind: 'expression'; text: string }
    | {
        kind: 'rate' | 'counter' | 'speed';
        /** One; for a speed the two coordinates. */
        inputs: readonly string[];
        by: string | undefined;
        /** Undefined: the change itself. */
        perNs: bigint | undefined;
        withinNs: bigint;
        wrapsAt: number | undefined;
      };
};

/** Of which readings a metric is to be derived anew. */
export interface DerivationRequest {
  metric: string;
  /** None: all that it is declared for. */
  sensors: readonly string[];
  /** Inclusive. */
  fromNs: bigint;
  /** Exclusive. */
  toNs: bigint;
  /** Counts, and writes nothing. */
  isDryRun: boolean;
}

export interface DerivationStep {
  /** Gone through, those that come before the range for their followers' sake included. */
  readings: number;
  /** Derived. */
  values: number;
  /** Where the next call begins; undefined when all is done. */
  nextNs: bigint | undefined;
}

/** Derived metrics, and how they are made of what is stored already. */
export interface Derivation {
  readonly metrics: readonly DerivedMetric[];
  /** Goes some way; what it derived is durable then. Throws `not_found`, and a retryable `store_unavailable`. */
  derive(request: DerivationRequest): Promise<DerivationStep>;
}

/** The setting `derived`. What an expression asks for is known to whoever reads it. */
export const derivedSchema = z
  .array(derivedMetric)
  .max(MAX_DERIVED)
  .superRefine((all, context) => {
    const names = all.map(({ metric }) => metric);
    all.forEach((one, index) => {
      const tell = (key: string, message: string): void =>
        context.addIssue({ code: 'custom', path: [index, key], message });
      for (const [key, message] of problemsOf(one)) tell(key, message);
      if (names.indexOf(one.metric) < index) tell('metric', `${one.metric} is derived already`);
      for (const [key, input] of inputsOf(one))
        if (names.includes(input)) tell(key, `${input} is a derived metric itself`);
    });
  })
  .transform((all) => all.map(toMetric));

function* problemsOf(one: DerivedInput): Iterable<[key: string, message: string]> {
  const given = operators.filter((name) => one[name] !== undefined);
  if (given.length !== 1) yield ['metric', `needs exactly one of ${operators.join(', ')}`];
  if (one.expression !== undefined && (one.by ?? one.per) !== undefined)
    yield ['expression', 'is of one reading: it takes neither by nor per'];
  if (one.wrapsAt !== undefined && one.counter === undefined) yield ['wrapsAt', 'is for a counter'];
}

function inputsOf({ rate, counter, speed, by }: DerivedInput): [key: string, metric: string][] {
  const inputs: [string, string | undefined][] = [
    ['rate', rate],
    ['counter', counter],
    ['speed', speed?.[0]],
    ['speed', speed?.[1]],
    ['by', by],
  ];
  return inputs.filter((input): input is [string, string] => input[1] !== undefined);
}

function toMetric({ metric, unit, sensors, ...one }: DerivedInput): DerivedMetric {
  const { expression, rate, counter, speed, by, per, within, wrapsAt } = one;
  if (expression !== undefined)
    return { metric, unit, sensors, operator: { kind: 'expression', text: expression } };
  const kind = rate !== undefined ? 'rate' : counter !== undefined ? 'counter' : 'speed';
  const inputs = speed ?? [(rate ?? counter)!];
  const perNs = per ?? (kind === 'counter' ? undefined : NS_PER_SECOND);
  return { metric, unit, sensors, operator: { kind, inputs, by, perNs, withinNs: within, wrapsAt } };
}
