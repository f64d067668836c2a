/** What a variable stands for: values that were chosen, or all. */
export type Chosen = readonly string[] | 'all';

export interface View {
  fromMs: number;
  toMs: number;
  intervalMs: number;
  variables: Readonly<Record<string, Chosen>>;
}

/** The value that `All` has in the dashboards' variables. */
const ALL_VALUE = '.*';

/**
 * A text as Grafana sends it: its frontend fills in variables with the format they ask for, its backend the macros
 * of InfluxQL. Throws where a variable is not known, or asks for no format that is safe in a query.
 */
export function interpolateInfluxql(query: string, view: View): string {
  return interpolateVariables(query, view, ({ all, chosen, format }) => {
    if (format !== 'regex') throw new Error(`${all} in ${query}`);
    return oneOf(chosen, (value) => value.replaceAll(/[\\^$*+?.()|[\]{}/]/g, '\\$&'));
  })
    .replaceAll('$timeFilter', `time >= ${view.fromMs}ms and time <= ${view.toMs}ms`)
    .replaceAll('$__interval_ms', String(view.intervalMs))
    .replaceAll('$__interval', intervalText(view.intervalMs));
}

/**
 * The same of a query for Prometheus, which is scraped every `scrapeMs`. Its data source escapes what is chosen for a
 * regular expression within double quotes.
 */
export function interpolatePromql(expr: string, view: View, scrapeMs: number): string {
  const rateMs = Math.max(view.intervalMs + scrapeMs, 4 * scrapeMs);
  const filled = interpolateVariables(expr, view, ({ all, chosen, format, before }) => {
    if (format !== undefined || !before.endsWith('=~"')) throw new Error(`${all} in ${expr}`);
    return oneOf(chosen, (value) =>
      value.replaceAll('\\', '\\\\\\\\').replaceAll(/[$^*{}[\]'+?.()|]/g, '\\\\$&'),
    );
  });
  return filled.replaceAll('$__rate_interval', `${Math.ceil(rateMs / 1000)}s`);
}

interface Reference {
  /** As it stands in the text. */
  all: string;
  chosen: Chosen;
  format: string | undefined;
  /** The text up to it. */
  before: string;
}

function interpolateVariables(
  text: string,
  { variables, fromMs, toMs }: View,
  fillIn: (reference: Reference) => string,
): string {
  return text.replaceAll(
    /\$\{(\w+)(?::(\w+))?\}/g,
    (all, name: string, format: string | undefined, at: number) => {
      if (name === '__from') return String(fromMs);
      if (name === '__to') return String(toMs);
      const chosen = variables[name];
      if (chosen === undefined) throw new Error(`${all} in ${text}`);
      return fillIn({ all, chosen, format, before: text.slice(0, at) });
    },
  );
}

function oneOf(chosen: Chosen, toPattern: (value: string) => string): string {
  if (chosen === 'all') return ALL_VALUE;
  const escaped = chosen.map(toPattern);
  return escaped.length === 1 ? escaped[0]! : `(${escaped.join('|')})`;
}

/** Milliseconds as Grafana writes an interval, in its largest whole unit. */
function intervalText(ms: number): string {
  const units: [string, number][] = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ];
  const [unit, size] = units.find(([, one]) => ms % one === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}

/** Steps that Grafana rounds an interval to, in ms. */
const niceMs = [
  1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
].map((seconds) => seconds * 1000);
/** As many points as a wide panel has pixels. */
const PANEL_POINTS = 1000;

/** The interval that Grafana chooses for a panel over that range, in ms. */
export function intervalOf({ interval, maxDataPoints }: PanelSize, rangeMs: number): number {
  const leastMs = interval === '1m' ? 60_000 : 1000;
  const exactMs = rangeMs / (maxDataPoints ?? PANEL_POINTS);
  return Math.max(leastMs, niceMs.findLast((step) => step <= exactMs) ?? 1000);
}

interface PanelSize {
  interval?: string | undefined;
  maxDataPoints?: number | undefined;
}
