/** What Grafana's process must be given in its environment; docs/grafana.md says what each is. */
const environmentNames = [
  'TIDEMARK_URL',
  'TIDEMARK_TOKEN',
  'TIDEMARK_QUERY_URL',
  'TIDEMARK_QUERY_DATABASE',
  'TIDEMARK_QUERY_TOKEN',
  'TIDEMARK_PROMETHEUS_URL',
  'TIDEMARK_DASHBOARDS',
] as const;

export type EnvironmentName = (typeof environmentNames)[number];

/** A reference that Grafana replaces when it reads a file of provisioning. */
export function fromEnvironment(name: EnvironmentName): string {
  return `$\u007b${name}}`;
}
