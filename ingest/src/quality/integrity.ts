import {
  type Clock,
  type Config,
  formatTime,
  type Incident,
  NS_PER_MS,
  type SensorDirectory,
} from '@tidemark/core';
import type { MetaDb } from '@tidemark/store';
import type { IncidentOutbox } from './incident-outbox.ts';

/** Sensors whose failures are remembered; the one that began to fail first is forgotten. */
const MAX_FAILING = 10_000;
/** Incidents that are open at a time; beyond, failures are counted and nobody is told. */
const MAX_OPEN = 10_000;

interface IntegrityOptions {
  config: Config;
  directory: SensorDirectory;
  clock: Clock;
  db: MetaDb;
  outbox: IncidentOutbox;
}

/** A failure that counts towards an incident. */
export interface Failure {
  sensor: string;
  /** A check, or a reason of refusal. */
  cause: string;
  /** When it was accepted. */
  timeNs: bigint;
  /** True for what is an incident by itself: a sensor that fell silent fails no second time. */
  isEnough?: boolean;
}

interface RecentFailure {
  timeMs: number;
  cause: string;
}

/** How an open incident goes on. */
interface Course {
  /** On the monotonic clock. */
  lastFailureMs: number;
  /** True when a reading came that failed nothing, after the last failure. */
  isReporting: boolean;
}

/**
 * Device integrity: N failures of one sensor within a time are one incident, told once, and so is its end. Open
 * incidents and what may become one are in meta.db, so that a restart neither repeats nor forgets. `flush` tells; it
 * comes before `saveRecent`, which belongs in the transaction that saves the place in the log.
 */
export class Integrity {
  readonly #options: IntegrityOptions;
  readonly #settings: Config['quality'];
  /** The last failures of each sensor without an incident, `incidentFailures` at most. */
  readonly #recent = new Map<string, RecentFailure[]>();
  /** Sensors whose recent failures are not saved as they are. */
  readonly #changed = new Set<string>();
  readonly #open = new Map<string, Course>();
  #untold: Incident[] = [];

  constructor(options: IntegrityOptions) {
    this.#options = options;
    this.#settings = options.config.quality;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** How much `saveRecent` has to write. */
  get unsavedRows(): number {
    return this.#changed.size;
  }

  /** Takes up the open incidents, and tells what a crash left untold. */
  start(): void {
    const { outbox, db } = this.#options;
    const rows = db.prepare('SELECT sensor, failures FROM recent_failures').all();
    for (const { sensor, failures } of rows as { sensor: string; failures: string }[])
      this.#recent.set(sensor, JSON.parse(failures) as RecentFailure[]);
    for (const sensor of outbox.open('device_integrity')) this.#open.set(sensor, this.#newCourse());
    outbox.tellUntold();
  }

  /** Counts a failure, and opens an incident where it is the last that was wanting. */
  failed({ sensor, cause, timeNs, isEnough = false }: Failure): void {
    const course = this.#open.get(sensor);
    if (course) return void Object.assign(course, this.#newCourse());
    const { incidentFailures, incidentWithinMs } = this.#settings;
    const timeMs = Number(timeNs / NS_PER_MS);
    const failures = this.#recentOf(sensor);
    failures.push({ timeMs, cause });
    this.#changed.add(sensor);
    if (failures.length > incidentFailures) failures.shift();
    const isFull = failures.length === incidentFailures && timeMs - failures[0]!.timeMs <= incidentWithinMs;
    if ((isFull || isEnough) && this.#open.size < MAX_OPEN) this.#begin(sensor, failures, timeNs);
  }

  /** Notes a reading that failed nothing. */
  reported(sensor: string): void {
    if (this.#open.size === 0) return;
    const course = this.#open.get(sensor);
    if (course) course.isReporting = true;
  }

  /** Ends the incidents of sensors that have recovered, and forgets failures that can make none any more. */
  look(): void {
    const { clock } = this.#options;
    const oldestMs = Number(clock.nowNs() / NS_PER_MS) - this.#settings.incidentWithinMs;
    for (const [sensor, failures] of this.#recent)
      if (failures.at(-1)!.timeMs < oldestMs) this.#forget(sensor);
    for (const [sensor, { lastFailureMs, isReporting }] of this.#open) {
      if (!isReporting || clock.monotonicMs() - lastFailureMs < this.#settings.incidentRecoveryMs) continue;
      this.#open.delete(sensor);
      const message = `${this.#nameOf(sensor)} reports without a failure again`;
      this.#untold.push(incidentOf(sensor, 'recovered', message, clock.nowNs()));
    }
  }

  /** Tells what began and ended since the last call; what cannot be saved stays for the next. */
  flush(): void {
    if (this.#untold.length === 0) return;
    this.#options.outbox.tell(this.#untold);
    this.#untold = [];
  }

  /** Writes the failures that may become an incident; within a transaction of the caller's. */
  saveRecent(): void {
    const { db } = this.#options;
    const save = db.prepare('INSERT OR REPLACE INTO recent_failures (sensor, failures) VALUES (?, ?)');
    const remove = db.prepare('DELETE FROM recent_failures WHERE sensor = ?');
    for (const sensor of this.#changed) {
      const failures = this.#recent.get(sensor);
      if (failures) save.run(sensor, JSON.stringify(failures));
      else remove.run(sensor);
    }
  }

  /** To be called when the transaction of `saveRecent` is on stable storage. */
  noteSaved(): void {
    this.#changed.clear();
  }

  #begin(sensor: string, failures: readonly RecentFailure[], timeNs: bigint): void {
    this.#forget(sensor);
    this.#open.set(sensor, this.#newCourse());
    const message = `${this.#nameOf(sensor)} needs to be checked: ${summaryOf(failures)}`;
    this.#untold.push(incidentOf(sensor, 'open', message, timeNs));
  }

  #recentOf(sensor: string): RecentFailure[] {
    const known = this.#recent.get(sensor);
    if (known) return known;
    if (this.#recent.size >= MAX_FAILING) this.#forget(this.#recent.keys().next().value!);
    const failures: RecentFailure[] = [];
    this.#recent.set(sensor, failures);
    return failures;
  }

  #forget(sensor: string): void {
    this.#recent.delete(sensor);
    this.#changed.add(sensor);
  }

  /** After a restart too, the time without failures begins anew: nobody watched meanwhile. */
  #newCourse(): Course {
    return { lastFailureMs: this.#options.clock.monotonicMs(), isReporting: false };
  }

  #nameOf(sensor: string): string {
    const owner = this.#options.directory.sensor(sensor)?.owner;
    return `sensor ${sensor} (${owner === undefined ? 'no owner' : `owner: ${owner}`})`;
  }
}

function incidentOf(sensor: string, state: Incident['state'], message: string, timeNs: bigint): Incident {
  return {
    id: `device_integrity:${sensor}`,
    kind: 'device_integrity',
    subject: sensor,
    state,
    message,
    timeNs,
  };
}

/** `5 failures since 2026-05-01T12:00:00Z: range ×3, clock ×2`. */
function summaryOf(failures: readonly RecentFailure[]): string {
  const times = new Map<string, number>();
  for (const { cause } of failures) times.set(cause, (times.get(cause) ?? 0) + 1);
  const causes = [...times].map(([cause, count]) => `${cause} ×${count}`).join(', ');
  const since = formatTime(BigInt(failures[0]!.timeMs) * NS_PER_MS);
  return `${failures.length === 1 ? 'a failure' : `${failures.length} failures`} since ${since}: ${causes}`;
}
