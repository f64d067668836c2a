import type { Point } from './point.ts';
import type { QuarantineReason, Refusal } from './ports.ts';

/** What a message goes through, in order. A closed list: users may match on it. */
export const traceStepNames = [
  'broker',
  'access',
  'topic',
  'decode',
  'validation',
  'registry',
  'quality',
  'spool',
  'store',
  'query',
] as const;

export type TraceStepName = (typeof traceStepNames)[number];

/** What happens to a message at one step. */
export interface TraceStep {
  step: TraceStepName;
  /**
   * `passed`: it goes on. `warned`: it goes on, though not all of it, or not as one might think. `stopped`: nothing of it
   * goes on. `skipped`: it does not come this far.
   */
  status: 'passed' | 'warned' | 'stopped' | 'skipped';
  /** What happened, in a sentence. */
  message: string;
  /** What to do about it. */
  hint?: string | undefined;
}

/** A message as somebody publishes it by MQTT. */
export interface TracedMessage {
  topic: string;
  payload: Uint8Array;
  /** The MQTT user that publishes it; undefined: nobody has logged in. */
  user: string | undefined;
}

/** Says what the broker would do with a message, and nothing more. */
export interface BrokerTrace {
  /** The steps `broker` and `access`, in order. */
  traceMessage(message: TracedMessage): TraceStep[];
}

/** What ingest would make of a message. */
export interface IngestTraced {
  /** The steps from `topic` to `store`, in order. */
  steps: TraceStep[];
  /** What would be stored. */
  points: readonly Point[];
  rejected: readonly Refusal[];
}

/** Says what ingest would make of a message; nothing is stored, registered, pinned or counted. */
export interface IngestTrace {
  trace(message: TracedMessage): Promise<IngestTraced>;
}

/** The step at which what is refused for a reason stops. */
export const stepOfReason: Record<QuarantineReason, TraceStepName> = {
  malformed_json: 'decode',
  invalid_utf8: 'decode',
  bad_line: 'decode',
  wrong_type: 'decode',
  missing_value: 'decode',
  not_finite: 'decode',
  empty: 'decode',
  too_long: 'decode',
  malformed_protobuf: 'decode',
  malformed_csv: 'decode',
  malformed_cbor: 'decode',
  mapping_failed: 'decode',
  mapping_timeout: 'decode',
  no_birth: 'decode',
  bad_sensor: 'validation',
  bad_location: 'validation',
  bad_metric: 'validation',
  bad_time: 'validation',
  bad_traveller: 'validation',
  time_out_of_range: 'validation',
  too_many_readings: 'validation',
  too_many_fields: 'validation',
  reserved_measurement: 'validation',
  unknown_sensor: 'registry',
  wrong_location: 'registry',
  too_many_sensors: 'registry',
  too_many_metrics: 'registry',
  type_conflict: 'store',
  store_rejected: 'store',
  too_many_series: 'store',
};

/** What to do about a reason. */
export function hintOfReason(code: QuarantineReason): string {
  return hints[code] ?? 'correct it at its source, then replay it from the quarantine';
}

const hints: Partial<Record<QuarantineReason, string>> = {
  malformed_json:
    'send valid JSON: decimals with a point, text in quotes; what is no JSON can be read by a mapping',
  mapping_failed: 'mend the expression of the mapping, start again, then replay it from the quarantine',
  mapping_timeout: 'mend the expression of the mapping, or raise mapping.expressionTimeoutMs, then replay it',
  no_birth: 'the node was asked for its births; once they are there, replay it from the quarantine',
  time_out_of_range:
    'set the clock of the device, or let the platform give the time: timeFrom: server of the sensor',
  unknown_sensor: 'register the sensor (POST /api/v1/sensors), then replay it from the quarantine',
  wrong_location: 'correct the location at the device or in the registry',
  too_many_sensors: 'raise registry.maxSensors or registry.maxNewSensorsPerMinute',
  too_many_metrics: 'raise registry.maxMetricsPerSensor',
  type_conflict: 'send the type that the field has, or set store.typePolicy',
  too_many_readings: 'send fewer at once, or raise ingest.maxReadingsPerMessage',
  too_many_fields: 'send fewer at once, or raise ingest.maxFieldsPerReading',
};
