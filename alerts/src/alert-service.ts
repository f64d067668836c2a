import { setTimeout as delay } from 'node:timers/promises';
import {
  type AlertsLog,
  type AlertTopics,
  type Clock,
  type Config,
  type DryRun,
  type Issue,
  type LogFollowing,
  type Logger,
  messageOf,
  type PartHealth,
  type Registry,
  type Rules,
  type SensorDirectory,
  type StoredRule,
} from '@tidemark/core';
import type { AuditLog, Engine, MetaDb } from '@tidemark/store';
import { AlertDesk } from './alert-desk.ts';
import { dryRun } from './dry-run.ts';
import { Evaluator } from './evaluator.ts';
import { ExternalAlerts } from './external-alerts.ts';
import { Lifecycle } from './lifecycle.ts';
import { AlertMetrics } from './metrics.ts';
import { Notifier } from './notify/notifier.ts';
import { Progress } from './progress.ts';
import { restoreSeries } from './restore.ts';
import { invalidRule, RuleBook } from './rule-book.ts';
import type { Series } from './series.ts';
import type { Step } from './series-state.ts';
import { Silences } from './silences.ts';
import type { Teller } from './teller.ts';
import { createTellers } from './tellers.ts';
import { ThresholdWriter } from './threshold-writer.ts';
import { Transitions } from './transitions.ts';
import { Watch } from './watch.ts';

/** How often it is looked for what only time changes. */
const LOOK_EVERY_MS = 1000;
/** How often the registry is gone through, and at least how often the run clock is saved. */
const RECONCILE_EVERY_MS = 10_000;
/** What was evaluated before this run and is read once more, for the newest values of all series. */
const RECALLED_BYTES = 8 * 1024 * 1024;

interface AlertServiceOptions {
  config: Config;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
  db: MetaDb;
  audit: AuditLog;
  directory: SensorDirectory;
  log: AlertsLog;
  engine: Pick<Engine, 'readings'>;
  topics: AlertTopics;
  lookEveryMs?: number;
}

/** Rules, evaluated on all that is accepted, and the alerts that they make. */
export class AlertService implements Rules {
  /** The alerts, and what is done about them. */
  readonly alerts: AlertDesk;
  /** What is on its way to the channels. */
  readonly notifications: Notifier;
  readonly #options: AlertServiceOptions;
  readonly #metrics: AlertMetrics;
  readonly #transitions: Transitions;
  readonly #silences: Silences;
  readonly #lifecycle: Lifecycle;
  readonly #evaluator: Evaluator;
  readonly #external: ExternalAlerts;
  readonly #book: RuleBook;
  readonly #progress: Progress;
  readonly #watch: Watch;
  readonly #tellers: readonly Teller[];
  readonly #thresholds: ThresholdWriter;
  readonly #stopping = new AbortController();
  #follower: LogFollowing | undefined;
  #looking: Promise<void> | undefined;
  #fault: string | undefined;
  /** The run clock: how long rules have been evaluated in all, up to the start and since when on the monotonic clock. */
  #ran = { beforeMs: 0, sinceMs: 0 };
  #savedRanMs = 0;

  constructor(options: AlertServiceOptions) {
    const { config, db, metrics } = options;
    this.#options = options;
    this.#transitions = new Transitions({ db, maxTransitions: config.alerts.maxTransitions });
    this.#silences = new Silences(options);
    this.#lifecycle = new Lifecycle({ ...options, silences: this.#silences });
    this.#evaluator = new Evaluator({
      ...options,
      maxSeries: config.alerts.maxSeries,
      onStep: (series, step, timeNs, isOld) => this.#stepped(series, step, timeNs, isOld),
      onCurrent: (series, timeNs) => this.#lifecycle.becameCurrent(series, timeNs),
      onLate: () => this.#metrics.late.inc(),
      onExcess: () => this.#metrics.excess.inc(),
    });
    this.#metrics = new AlertMetrics(metrics, {
      rules: () => this.#book.size,
      series: () => this.#evaluator.seriesCount,
      active: () => this.#lifecycle.states(),
    });
    this.#book = new RuleBook({
      ...options,
      maxRules: config.alerts.maxRules,
      channels: () => this.notifications.channels(),
      onChange: (before, after) => this.#ruleChanged(before, after),
    });
    this.notifications = new Notifier(options);
    this.#external = new ExternalAlerts({
      ...options,
      ...config.alerts,
      evaluator: this.#evaluator,
      lifecycle: this.#lifecycle,
    });
    const parts = {
      ...options,
      evaluator: this.#evaluator,
      external: this.#external,
      lifecycle: this.#lifecycle,
      silences: this.#silences,
      transitions: this.#transitions,
      notifier: this.notifications,
    };
    this.#progress = new Progress(parts);
    this.#watch = new Watch(parts);
    this.#tellers = createTellers(parts);
    this.#thresholds = new ThresholdWriter(parts);
    this.alerts = new AlertDesk({ ...parts, save: () => this.#follower?.save() });
  }

  /** Goes on where the last run has saved. The log must have started. */
  async start(): Promise<void> {
    const { clock, config, log } = this.#options;
    const standing = this.#progress.load();
    this.#ran = { beforeMs: standing?.ranMs ?? 0, sinceMs: clock.monotonicMs() };
    this.#savedRanMs = this.#ran.beforeMs;
    this.#silences.start();
    this.#book.start();
    for (const rule of this.#book.all()) this.#evaluator.set(rule, false);
    this.#book.setFileRules(config.rules);
    restoreSeries({
      ...this.#options,
      evaluator: this.#evaluator,
      external: this.#external,
      lifecycle: this.#lifecycle,
      progress: this.#progress,
      watch: this.#watch,
      ranMs: this.#ranMs(),
    });
    this.#follower = log.follow({
      offset: standing?.offset,
      recalledBytes: this.#book.size === 0 ? 0 : RECALLED_BYTES,
      recall: (messages) => this.#evaluator.recall(messages, this.#ranMs()),
      take: (messages, seenAtMs) => this.#evaluator.take(messages, this.#ranMs(seenAtMs)),
      isIdle: () => this.#evaluator.rules.size === 0,
      unsavedRows: () => this.#unsavedRows(),
      save: (offset) => this.#save(offset),
    });
    this.#follower.start();
    for (const teller of this.#tellers) teller.start();
    this.notifications.start();
    this.#looking = this.#lookOften();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#looking;
    await this.#follower?.stop();
    for (const teller of this.#tellers) await teller.stop();
    await this.notifications.stop();
  }

  health(): PartHealth[] {
    const following = this.#follower?.health() ?? { name: 'alerts', status: 'fail', message: 'not started' };
    const fault = this.#fault;
    const own: PartHealth = fault ? { name: 'alerts', status: 'fail', message: fault } : following;
    return [own, ...this.#tellers.map((teller) => teller.health()), ...this.notifications.health()];
  }

  /** Takes the rules of the configuration file anew; with any fault the old ones stay: throws `config_invalid`. */
  setFileRules(documents: readonly unknown[]): void {
    this.#book.setFileRules(documents);
    this.#follower?.save();
  }

  fileDoubts(): Issue[] {
    return this.#book.fileDoubts();
  }

  rules(): Iterable<StoredRule> {
    return this.#book.all();
  }

  rule(id: string): StoredRule | undefined {
    return this.#book.get(id);
  }

  validate(document: unknown) {
    return this.#book.validate(document);
  }

  put(...args: Parameters<Rules['put']>): StoredRule {
    const rule = this.#book.put(...args);
    this.#follower?.save();
    return rule;
  }

  remove(...args: Parameters<Rules['remove']>): void {
    this.#book.remove(...args);
    this.#follower?.save();
  }

  async dryRun(document: unknown, range: { fromNs: bigint; toNs: bigint }): Promise<DryRun> {
    const { errors } = this.#book.validate(document);
    if (errors.length > 0) throw invalidRule(errors);
    return dryRun({ ...this.#options, document, ...range });
  }

  #stepped(series: Series, step: Step, timeNs: bigint, isOld: boolean): void {
    if (step === 'firing') this.#lifecycle.fired(series, timeNs, isOld);
    else if (step === 'resolved') this.#lifecycle.resolved(series, timeNs);
    else this.#lifecycle.changed(series);
  }

  /** A rule that asks the same as before keeps its alerts; the message of one that fires stays as it was told. */
  #ruleChanged(before: StoredRule | undefined, after: StoredRule | undefined): void {
    const id = (after ?? before)!.id;
    if (before === undefined) this.#external.release(id);
    const keeps =
      after?.isEnabled === true && before !== undefined && questionOf(before) === questionOf(after);
    if (!keeps) {
      const comment = after === undefined ? 'the rule was deleted' : 'the rule was changed';
      for (const series of this.#evaluator.rules.get(id)?.series.values() ?? [])
        this.#lifecycle.dropped(series, comment, after === undefined);
    }
    if (after === undefined) this.#evaluator.remove(id);
    else this.#evaluator.set(after, keeps);
  }

  #ranMs(atMs = this.#options.clock.monotonicMs()): number {
    return this.#ran.beforeMs + atMs - this.#ran.sinceMs;
  }

  #unsavedRows(): number {
    if (this.#lifecycle.isUrgent) return Number.POSITIVE_INFINITY;
    const isClockDue =
      this.#ranMs() - this.#savedRanMs >= RECONCILE_EVERY_MS && this.#evaluator.rules.size > 0;
    return this.#lifecycle.unsavedRows + Number(isClockDue);
  }

  #save(offset: number): void {
    const ranMs = this.#ranMs();
    const { transitions } = this.#lifecycle.unsaved;
    this.#progress.save({ offset, ranMs });
    this.#savedRanMs = ranMs;
    for (const { state } of transitions) this.#metrics.transitions.inc({ state });
  }

  async #lookOften(): Promise<void> {
    const { signal } = this.#stopping;
    const { lookEveryMs = LOOK_EVERY_MS, logger } = this.#options;
    let reconciledMs = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      try {
        const ranMs = this.#ranMs();
        const isDue = ranMs - reconciledMs >= RECONCILE_EVERY_MS;
        if (isDue) await this.#watch.reconcile(ranMs);
        if (isDue) reconciledMs = ranMs;
        const caughtUpAtMs = this.#follower?.caughtUpAtMs;
        if (caughtUpAtMs !== undefined) this.#watch.look(this.#ranMs(caughtUpAtMs));
        this.#follower?.save();
        this.#thresholds.look();
        this.#fault = undefined;
      } catch (error) {
        if (this.#fault === undefined)
          logger.error({ err: error }, 'alerts cannot be looked after; it is tried again');
        this.#fault = messageOf(error);
      }
      await delay(lookEveryMs, undefined, { signal }).catch(() => {});
    }
  }
}

/** What a rule asks, apart from how it is told. */
function questionOf({ condition, metric, forMs }: StoredRule): string {
  return JSON.stringify([condition, metric, forMs]);
}
