/** A reading to record: its sensor, and one member for each metric. */
export interface NewReading {
  sensor: string;
  location?: string;
  /** RFC 3339, or an integer of s, ms, µs or ns by its size; left out: the time of acceptance. */
  time?: string | number;
  [metric: string]: number | boolean | string | undefined;
}

/** A stored reading; booleans are 0 and 1. */
export interface Reading {
  /** `<sensor>@<time in ns>`. */
  id: string;
  sensor: string;
  location: string | null;
  /** RFC 3339 in UTC, up to nanoseconds. */
  time: string;
  [metric: string]: number | string | boolean | null;
}

/** A part of what was sent that was refused; it is in the platform's quarantine. */
export interface Rejection {
  /** Position in what was sent, from 0. */
  index: number;
  /** One of the quarantine's reasons, such as `unknown_sensor`. */
  code: string;
  detail: string;
}

/** What became of readings; those accepted are on stable storage. */
export interface WriteResult {
  accepted: number;
  ids: string[];
  rejected: Rejection[];
}

/** Names are matched exactly; an absent list means all. */
export interface ReadingFilter {
  sensor?: string | readonly string[];
  location?: string | readonly string[];
  metric?: string | readonly string[];
}

/** `from` is inclusive, `to` exclusive: RFC 3339, an integer, or `now-1h`. */
export interface Range {
  from?: string | number;
  to?: string | number;
}

export interface ReadingsQuery extends ReadingFilter, Range {
  /** `asc` (the default): oldest first. */
  order?: 'asc' | 'desc';
  /** Most readings in all; left out: as many as there are. */
  limit?: number;
}

export interface WindowsQuery extends ReadingFilter, Range {
  /** Length of a window: `90s`, `5m`, `1d`. */
  every?: string;
  /** count, sum, min, max, mean, median, stddev, spread, first, last, rate, distinct, p1 to p99.9. */
  fn?: readonly string[];
  by?: readonly ('sensor' | 'location')[];
  fill?: 'none' | 'null' | 'previous' | 'linear' | number;
  /** IANA time zone that days start in. */
  tz?: string;
}

/** One window: its start, its metric, the tags asked for, and one member for each function. */
export interface Window {
  time: string;
  metric: string;
  [column: string]: number | string | null;
}

/** The newest value of one metric of one sensor. */
export interface LatestValue {
  sensor: string;
  location: string | null;
  metric: string;
  value: number | string;
  time: string;
}

/** An alert as it stands. */
export interface Alert {
  id: string;
  rule: string;
  sensor: string;
  state: 'pending' | 'firing' | 'acknowledged' | 'silenced' | 'resolved';
  severity: 'info' | 'warning' | 'critical';
  message: string;
  since: string;
  value: number | null;
  [member: string]: unknown;
}

/** A sensor's or a location's document; docs/registry.md says what is in it. */
export type Document = { id: string } & Record<string, unknown>;
