import type { Issue, TidemarkError } from './errors.ts';
import type { Cause, QualityCheck } from './ports.ts';

// Rules and alerts: the nouns, and what other packages ask of the package `alerts`.

export const severities = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof severities)[number];

/** Least and greatest value, both included. */
export type ValueRange = readonly [low: number, high: number];

/** When a series is in breach of its rule, and when it no longer is. A closed list of kinds. */
export type Condition =
  /** Greater than `threshold`, until no greater than `clear`. */
  | { kind: 'above'; threshold: number; clear: number }
  /** Less than `threshold`, until no less than `clear`. */
  | { kind: 'below'; threshold: number; clear: number }
  /** Within `range`, until outside `clear`, which holds `range`. */
  | { kind: 'inside'; range: ValueRange; clear: ValueRange }
  /** Outside `range`, until within `clear`, which `range` holds. */
  | { kind: 'outside'; range: ValueRange; clear: ValueRange }
  /** Changed from one reading to the next by more than `above`, or less than `below`, in `perMs`. */
  | { kind: 'rate'; above: number; below: number; perMs: number }
  /** No reading was accepted for so long; time in which the platform did not run does not count. */
  | { kind: 'absent'; afterMs: number }
  /** The value has been the same for so long, in event time. */
  | { kind: 'stuck'; afterMs: number }
  /** One of the checks has failed, until none has for `withinMs`. */
  | { kind: 'quality'; checks: readonly QualityCheck[]; withinMs: number };

export type RuleKind = Condition['kind'];

/** One rule; it makes one alert for each sensor in its scope. */
export interface Rule {
  /** 1–64 letters, digits, `-`, `_` and `.`. */
  id: string;
  /** Undefined where the kind asks for none: `quality`, and `absent` of all that a sensor reports. */
  metric: string | undefined;
  /** Ids with `*` for any text; any of them. Undefined: all. */
  sensors: readonly string[] | undefined;
  /** A location, with all that are in it. */
  location: string | undefined;
  /** Labels that the sensor must have. Without a prototype. */
  labels: Readonly<Record<string, string>> | undefined;
  condition: Condition;
  /** How long the condition must hold before the alert fires, in event time. */
  forMs: number;
  severity: Severity;
  /** With `{sensor}`, `{metric}`, `{value}`, `{rule}`, `{location}` and `{severity}`. */
  message: string;
  /** Names of those who are notified. */
  notify: readonly string[];
  /** Nobody is notified about readings that were older than this when they were accepted. */
  notifyWithinMs: number;
  isEnabled: boolean;
}

/** A rule as it is kept. */
export interface StoredRule extends Rule {
  /** `file`: it stands in the configuration file, and is changed there alone. */
  source: 'api' | 'file';
  /** What was declared, as JSON. */
  document: Readonly<Record<string, unknown>>;
  createdNs: bigint;
  updatedNs: bigint;
  /** Counts changes from 1; the ETag. */
  version: number;
}

export const alertStates = ['pending', 'firing', 'acknowledged', 'silenced', 'resolved'] as const;
export type AlertState = (typeof alertStates)[number];

/** Who says so: a rule, Grafana by its webhook, or a program by the API. */
export const alertSources = ['rule', 'grafana', 'program'] as const;
export type AlertSource = (typeof alertSources)[number];

/** What a rule, or another program, says of one sensor. */
export interface Alert {
  /** `<rule>:<sensor>`. */
  id: string;
  rule: string;
  sensor: string;
  source: AlertSource;
  metric: string | undefined;
  state: AlertState;
  /** The newest that was evaluated; undefined where there is none, as of an absent sensor. */
  value: number | undefined;
  /** Since when the condition holds, in event time. */
  sinceNs: bigint;
  severity: Severity;
  message: string;
  /** False as long as only readings speak for it that are too old to notify anybody about. */
  isCurrent: boolean;
  /** Who acknowledged it, and in which words. */
  acknowledged: { by: string; comment: string | undefined; timeNs: bigint } | undefined;
}

/** A change of an alert's state; the pending ones are not kept. Kept in order, durably, and told from there. */
export interface AlertTransition extends Omit<Alert, 'id' | 'source' | 'acknowledged' | 'isCurrent'> {
  /** Grows from one to the next. */
  number: number;
  /** The same whenever this transition is told: who acts on it may use it to act once. */
  key: string;
  alert: string;
  /** When it came about: of the reading that brought it, else by the clock; later than the alert's change before. */
  timeNs: bigint;
  recordedNs: bigint;
  /** Who did it, where somebody did, and in which words. */
  actor: string | undefined;
  comment: string | undefined;
  /** True when those in `notify` are to be told. */
  notifies: boolean;
  isCurrent: boolean;
  notify: readonly string[];
}

/** What another program says of an alert of its own. */
export interface ExternalAlert {
  source: Exclude<AlertSource, 'rule'>;
  /** An id that no rule has. */
  rule: string;
  /** Undefined: of no one sensor. */
  sensor: string | undefined;
  /** What the source knows it by; undefined: by rule and sensor. */
  fingerprint: string | undefined;
  isFiring: boolean;
  severity: Severity;
  /** With the placeholders that rules have. */
  message: string;
  value: number | undefined;
  /** Since when it fires; undefined: it is not known, and now when it begins. */
  sinceNs: bigint | undefined;
  /** When it ended; undefined: now. */
  endedNs: bigint | undefined;
  /** Names of the channels that are notified. */
  notify: readonly string[];
}

export interface AlertFilter {
  rules?: readonly string[] | undefined;
  sensors?: readonly string[] | undefined;
  states?: readonly AlertState[] | undefined;
}

/** Alerts that match are silenced until a time. What is left out matches all. */
export interface Silence {
  id: string;
  rule: string | undefined;
  /** Id with `*` for any text. */
  sensor: string | undefined;
  severity: Severity | undefined;
  untilNs: bigint;
  createdNs: bigint;
  by: string;
  comment: string | undefined;
}

/** How often a rule would have fired. */
export interface DryRun {
  readings: number;
  firings: number;
  sensors: {
    sensor: string;
    firings: number;
    /** Time in which it was firing, up to its last reading. */
    firingMs: number;
    firstNs: bigint;
    lastNs: bigint;
  }[];
  /** Where it ended when there were more readings than are looked at; undefined when it looked at all. */
  cutOffNs: bigint | undefined;
}

/** The rules. Changes are durable when the call returns, hold for what is read next, and leave a line in the audit log. */
export interface Rules {
  rules(): Iterable<StoredRule>;
  rule(id: string): StoredRule | undefined;
  /** What is wrong with a rule, and what may be; reads nothing but the registry. */
  validate(document: unknown): { errors: Issue[]; warnings: Issue[] };
  /**
   * Creates or replaces a rule. Throws `bad_request` with every fault and its path, a metric that no registered
   * sensor has among them unless that is allowed, and `conflict` when it stands in the configuration file or there
   * are too many.
   */
  put(document: unknown, cause: Cause, options?: { allowsUnknownMetric?: boolean }): StoredRule;
  /** Removes a rule and resolves its alerts. Throws `conflict` when it stands in the configuration file. */
  remove(id: string, cause: Cause): void;
  /** Plays the readings of a range through a rule. Throws `bad_request`, and a retryable `store_unavailable`. */
  dryRun(document: unknown, range: { fromNs: bigint; toNs: bigint }): Promise<DryRun>;
}

/** The alerts and what people do about them; durable when the call returns. */
export interface Alerts {
  /** Those that are not resolved; those that were last too, unless left out. */
  alerts(options?: { withResolved?: boolean }): Iterable<Alert>;
  alert(id: string): Alert | undefined;
  /** Newest first, up to `limit`, those before number `before`. */
  history(filter: AlertFilter & { limit: number; before?: number | undefined }): AlertTransition[];
  /** Oldest first, up to `limit`, those after number `after`. */
  transitionsAfter(after: number, limit: number): AlertTransition[];
  /** The number of the newest transition; 0 when there was none. */
  readonly newest: number;
  /** Resolves when there is a transition behind `after`, or when the signal aborts. */
  waitBeyond(after: number, signal: AbortSignal): Promise<void>;
  /** Throws `not_found`, and `conflict` when the alert is not firing. */
  acknowledge(id: string, by: { actor: string; comment?: string | undefined }): Alert;
  /**
   * Ends an alert by hand: it fires again once its condition has ended and begun anew, or when a program raises it
   * again. Throws as `acknowledge`.
   */
  resolve(id: string, by: { actor: string; comment?: string | undefined }): Alert;
  /**
   * Takes what other programs say of their alerts, one after another. The same said again changes nothing but the value.
   * Answers for each with the alert as it is then, undefined where one ended that is not known, or why it was not taken:
   * `conflict` when a rule has its id, `unavailable` (retryable) when there are too many.
   */
  take(alerts: readonly ExternalAlert[]): (Alert | TidemarkError | undefined)[];
  silences(): Silence[];
  /** Throws `conflict` when there are too many. */
  silence(silence: Omit<Silence, 'id' | 'createdNs'>): Silence;
  /** Ends a silence; false when there is no such. */
  endSilence(id: string): boolean;
}

/** Where messages about alerts are published, at QoS 1 and in order. */
export interface AlertTopics {
  /** Resolves when it is kept. An empty payload clears the topic. */
  retain(topic: string, payload: string): Promise<void>;
  /** Not retained; resolves when it is with all who subscribe now, or kept for their sessions. */
  publish(topic: string, payload: string): Promise<void>;
}
