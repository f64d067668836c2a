import { interpolateInfluxql, type View } from './interpolate.ts';
import type { Target } from './provisioned.ts';

/** Where Grafana's InfluxDB data source asks. */
export interface Store {
  url: string;
  database: string;
  token: string | undefined;
}

export interface Series {
  name: string;
  tags?: Record<string, string>;
  columns: string[];
  values: (string | number | null)[][];
}

/** Asks as Grafana's data source does; throws the reason where the answer is an error. */
export async function askStore({ url, database, token }: Store, q: string): Promise<Series[]> {
  const parameters = new URLSearchParams({ db: database, q, epoch: 'ms' });
  const response = await fetch(`${url}/query?${parameters}`, {
    headers: token === undefined ? {} : { authorization: `Token ${token}` },
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text} for ${q}`);
  const { results } = JSON.parse(text) as { results: { series?: Series[]; error?: string }[] };
  const failed = results.find(({ error }) => error !== undefined);
  if (failed !== undefined) throw new Error(`${failed.error} for ${q}`);
  return results.flatMap(({ series = [] }) => series);
}

/** How many values that are not null the targets of a panel bring, by the target. */
export async function valuesOf(
  store: Store,
  targets: readonly Target[],
  view: View,
): Promise<Map<Target, number>> {
  const answers = await answersOf(store, targets, view);
  return new Map([...answers].map(([target, series]) => [target, countValues(series)]));
}

/** What the targets of a panel bring, by the target. */
export async function answersOf(
  store: Store,
  targets: readonly Target[],
  view: View,
): Promise<Map<Target, Series[]>> {
  const byRefId = new Map<string, Series[]>();
  const answers = new Map<Target, Series[]>();
  for (const target of targets) {
    const series =
      target.query === undefined
        ? evaluate(target, byRefId)
        : await askStore(store, interpolateInfluxql(target.query, view));
    byRefId.set(target.refId, series);
    answers.set(target, series);
  }
  return answers;
}

/** Rows with a value that is not null, beside their time. */
export function countValues(series: readonly Series[]): number {
  return series.flatMap(({ values }) => values).filter((row) => row.slice(1).some(isShown)).length;
}

/** What a division by zero yields is not drawn either. */
function isShown(value: string | number | null | undefined): boolean {
  return typeof value === 'number' ? Number.isFinite(value) : typeof value === 'string';
}

/** Grafana's server-side expressions, as far as the dashboards use them: `reduce` by `last`, and `$X op $Y`. */
function evaluate({ type, expression, where }: Target, answers: ReadonlyMap<string, Series[]>): Series[] {
  if (type === 'reduce')
    return answers.get(expression!)!.flatMap((one) => {
      const last = one.values.at(-1);
      return last === undefined ? [] : [{ ...one, values: [last] }];
    });
  const [, left, operator, right] = /^\$(\w+) ([*/]) \$(\w+)$/.exec(expression ?? '') ?? [];
  if (left === undefined) throw new Error(`${where}: ${expression}`);
  const compute = (a: number, b: number) => (operator === '*' ? a * b : a / b);
  return answers.get(left)!.flatMap((a) => {
    const b = answers.get(right!)!.find((one) => JSON.stringify(one.tags) === JSON.stringify(a.tags));
    if (b === undefined) return [];
    const isNumber = a.values.length === 1 && b.values.length === 1;
    const byTime = new Map(b.values.map(([time, value]) => [time, value]));
    const values = a.values.map(([time, value]) => {
      const other = isNumber ? b.values[0]![1] : byTime.get(time!);
      const isThere = typeof value === 'number' && typeof other === 'number';
      return [time!, isThere ? compute(value, other) : null];
    });
    return [{ ...a, values }];
  });
}
