/** Metric names whose rules are remembered; cleared when full. */
const MAX_KNOWN = 10_000;

/** What is checked of a metric by its name alone. */
export interface MetricRules {
  /** Stays the metric's for as long as it is remembered. */
  readonly number: number;
  readonly bound: { check: 'latitude' | 'longitude'; degrees: number } | undefined;
  /** Largest change between two readings in a row; infinite where there is no such limit. */
  readonly jump: number;
  /** How long the value may stay the same; infinite where there is no such limit. */
  readonly stuckMs: number;
  /** True where a reading is compared with the one before it. */
  readonly needsLast: boolean;
}

interface MetricRulesOptions {
  /** `METRIC=NUMBER` each. */
  jumps: readonly string[];
  stuck: readonly string[];
}

interface KnownRules {
  rulesOf: (metric: string) => MetricRules;
  /** The metrics that have a limit of change. */
  comparedMetrics: readonly string[];
}

/** Makes the function that answers a metric's rules, with the limits that the settings give. */
export function createMetricRules({ jumps, stuck }: MetricRulesOptions): KnownRules {
  const jumpOf = new Map(jumps.map(readLimit));
  const stuckMsOf = new Map(stuck.map(readLimit));
  const known = new Map<string, MetricRules>();
  let given = 0;
  const rulesOf = (metric: string): MetricRules => {
    const before = known.get(metric);
    if (before) return before;
    if (known.size >= MAX_KNOWN) known.clear();
    const jump = jumpOf.get(metric) ?? Number.POSITIVE_INFINITY;
    const stuckMs = stuckMsOf.get(metric) ?? Number.POSITIVE_INFINITY;
    const needsLast = jumpOf.has(metric) || stuckMsOf.has(metric);
    const rules = { number: ++given, bound: boundOf(metric), jump, stuckMs, needsLast };
    known.set(metric, rules);
    return rules;
  };
  return { rulesOf, comparedMetrics: [...new Set([...jumpOf.keys(), ...stuckMsOf.keys()])] };
}

function boundOf(metric: string): MetricRules['bound'] {
  switch (metric.toLowerCase()) {
    case 'lat':
    case 'latitude':
      return { check: 'latitude', degrees: 90 };
    case 'lon':
    case 'lng':
    case 'longitude':
      return { check: 'longitude', degrees: 180 };
    default:
      return undefined;
  }
}

function readLimit(text: string): [metric: string, limit: number] {
  const equals = text.lastIndexOf('=');
  return [text.slice(0, equals).trim(), Number(text.slice(equals + 1))];
}
