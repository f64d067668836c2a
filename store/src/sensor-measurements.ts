import { downsampledMeasurement, downsampleWidths, READINGS } from '@tidemark/core';

/** The platform's own measurements that have a tag `sensor`: what is deleted and renamed with a sensor. */
export const sensorMeasurements: readonly string[] = [
  READINGS,
  'travellers',
  'alerts',
  'quality',
  'sensor_metrics',
  'sensor_state',
  'rule_thresholds',
  ...downsampleWidths.map(downsampledMeasurement),
];
