import { READINGS } from './reading.ts';

/** Widths of the windows that readings can be summed up in. */
export const downsampleWidths = ['1m', '5m', '15m', '1h', '6h', '1d'] as const;

/** The measurement that holds readings summed up in windows of a width: `readings_1h`. */
export function downsampledMeasurement(every: string): string {
  return `${READINGS}_${every}`;
}
