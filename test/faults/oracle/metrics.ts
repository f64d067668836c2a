/** One reading of `/metrics`. */
export interface Metrics {
  /** The sum of a metric over all its labels; 0 when there is none of that name. */
  sum(name: string): number;
  /** The sample whose labels hold all of these. */
  get(name: string, labels?: Record<string, string>): number | undefined;
}

export async function metricsOf(httpUrl: string): Promise<Metrics> {
  const response = await fetch(`${httpUrl}/metrics`);
  if (!response.ok) throw new Error(`/metrics: ${response.status}`);
  const samples = (await response.text()).split('\n').flatMap((line) => {
    const match = /^([a-z0-9_]+)(?:\{(.*)\})? (\S+)/.exec(line);
    return match ? [{ name: match[1]!, labels: match[2] ?? '', value: Number(match[3]) }] : [];
  });
  return {
    sum: (name) =>
      samples.filter((sample) => sample.name === name).reduce((sum, { value }) => sum + value, 0),
    get: (name, labels = {}) =>
      samples.find(
        (sample) =>
          sample.name === name &&
          Object.entries(labels).every(([key, value]) => sample.labels.includes(`${key}="${value}"`)),
      )?.value,
  };
}
