import type { Config, MetricDeclaration, Sensor } from '@tidemark/core';
import { bareRecord } from './tables.ts';

type MetricLimit = Pick<Config['registry'], 'maxMetricsPerSensor'>;

const noLabels = bareRecord<string>([]);
const none: readonly never[] = [];

/** A sensor that nobody declared, as its first reading tells of it. */
export function selfRegistered(
  id: string,
  metrics: readonly string[],
  { maxMetricsPerSensor, nowNs }: MetricLimit & { nowNs: bigint },
): Sensor {
  const first = metrics.slice(0, maxMetricsPerSensor);
  return {
    id,
    kind: undefined,
    metrics: bareRecord(first.map((name): [string, MetricDeclaration] => [name, {}])),
    stays: none,
    reportedLocation: undefined,
    formerIds: none,
    expectedIntervalMs: undefined,
    owner: undefined,
    labels: noLabels,
    state: 'active',
    timeFrom: 'device',
    isSelfRegistered: true,
    createdNs: nowNs,
    updatedNs: nowNs,
    version: 1,
  };
}

/** The sensor where its messages say that it is. */
export function withReportedLocation(sensor: Sensor, location: string): Sensor {
  return { ...sensor, reportedLocation: location };
}

/** The sensor with a metric more, or with another declaration of one; undefined when it has as many as it may. */
export function withMetric(
  sensor: Sensor,
  metric: string,
  { maxMetricsPerSensor }: MetricLimit,
  declaration: MetricDeclaration = {},
): Sensor | undefined {
  const entries = Object.entries(sensor.metrics).filter(([name]) => name !== metric);
  if (entries.length >= maxMetricsPerSensor) return undefined;
  return { ...sensor, metrics: bareRecord([...entries, [metric, declaration]]) };
}
