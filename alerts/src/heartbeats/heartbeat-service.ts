import {
  type Alert,
  type AlertsLog,
  type Beat,
  type Clock,
  type Config,
  Counter,
  type ExternalAlert,
  Gauge,
  type Heartbeats,
  type Logger,
  messageOf,
  type PartHealth,
  type Point,
  type Registry,
  type ServiceKind,
  type ServiceStatus,
  TidemarkError,
} from '@tidemark/core';
import type { MetaDb } from '@tidemark/store';
import { KnownServices } from './known-services.ts';
import { type Check, probe, readCheck } from './probe.ts';
import { checkBeat, pointOf, type Service, statusOf } from './service.ts';

/** What the alerts are called: `service-down:<service>`. */
const RULE = 'service-down';
const TICK_MS = 1000;
/** One lost packet is no outage. */
const FAILURES_THAT_COUNT = 2;
const PROBE_TIMEOUT_MS = 5000;
/** How long an answer may wait for the disk. */
const MAX_HOLD_MS = 5000;
/** How often what is well is written down. */
const WRITE_EVERY_MS = 60_000;

interface HeartbeatOptions {
  config: Config;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
  db: MetaDb;
  log: Pick<AlertsLog, 'append'>;
  /** Asked only once started. */
  alerts: () => {
    take(alerts: readonly ExternalAlert[]): (Alert | TidemarkError | undefined)[];
    alerts(options: { withResolved: boolean }): Iterable<Alert>;
  };
  /** The parts of this process. */
  parts: () => PartHealth[];
}

/** Who is up and who is not. What goes down, and what is back, is an alert, once each. */
export class HeartbeatService implements Heartbeats {
  readonly #options: HeartbeatOptions;
  readonly #known: KnownServices;
  readonly #services = new Map<string, Service>();
  readonly #listeners = new Set<(status: ServiceStatus) => void>();
  readonly #beats: Counter;
  readonly #checks: readonly Check[];
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> | undefined;
  #checkedMs = Number.NEGATIVE_INFINITY;

  constructor(options: HeartbeatOptions) {
    const { config, db, metrics } = options;
    this.#options = options;
    this.#known = new KnownServices(db);
    this.#checks = config.heartbeats.checks.map(readCheck);
    const services = this.#services;
    new Gauge({
      name: 'tidemark_heartbeats_services',
      help: 'Services that are watched, by whether they are up',
      labelNames: ['state'],
      registers: [metrics],
      collect() {
        const up = services.values().reduce((count, { isUp }) => count + Number(isUp), 0);
        this.set({ state: 'up' }, up);
        this.set({ state: 'down' }, services.size - up);
      },
    });
    this.#beats = new Counter({
      name: 'tidemark_heartbeats_received_total',
      help: 'Heartbeats that services have sent',
      registers: [metrics],
    });
    // Known before it is started, since heartbeats come as soon as somebody listens.
    const nowMs = options.clock.monotonicMs();
    for (const kept of this.#known.load()) {
      this.#add(kept.service, 'beat', { ...kept, lastSeenMs: nowMs, message: kept.isUp ? '' : 'was down' });
    }
  }

  /** Begins to look. Alerts must have started. */
  async start(): Promise<void> {
    this.#endStrayAlerts();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#checking;
  }

  async beat(beat: Beat): Promise<bigint> {
    const { clock, config } = this.#options;
    checkBeat(beat);
    const { service: name, latencyMs, timeoutMs } = beat;
    const existing = this.#services.get(name);
    if (existing !== undefined && existing.kind !== 'beat')
      throw new TidemarkError(
        'conflict',
        `${name} is watched already as a ${existing.kind}; use another name`,
      );
    if (existing === undefined && this.#services.size >= config.heartbeats.maxServices) {
      const message = `${config.heartbeats.maxServices} services are watched; forget some, or raise TIDEMARK_HEARTBEATS_MAX_SERVICES`;
      throw new TidemarkError('unavailable', message);
    }
    const nowNs = clock.nowNs();
    await this.#append(pointOf({ service: name, isUp: true, latencyMs }, nowNs));
    const service = this.#services.get(name) ?? this.#add(name, 'beat', { sinceNs: nowNs });
    const wantedMs = timeoutMs ?? config.heartbeats.timeoutMs;
    const isChanged = existing === undefined || !service.isUp || service.timeoutMs !== wantedMs;
    service.timeoutMs = wantedMs;
    service.latencyMs = latencyMs;
    this.#seen(service, nowNs);
    if (isChanged) this.#known.save({ ...service, lastSeenNs: nowNs });
    this.#beats.inc();
    return nowNs;
  }

  services(): ServiceStatus[] {
    return [...this.#services.values()].map(statusOf).sort((a, b) => (a.service < b.service ? -1 : 1));
  }

  forget(name: string): boolean {
    if (this.#services.get(name)?.kind !== 'beat') return false;
    this.#known.remove(name);
    this.#services.delete(name);
    this.#raise({ service: name, isUp: true, message: '' });
    return true;
  }

  watch(listener: (status: ServiceStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The log holds what its disk does not take, for as long as it takes. */
  async #append(point: Point): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<never>((_resolve, reject) => {
      const options = { retryable: true, retryAfterMs: MAX_HOLD_MS };
      const error = new TidemarkError(
        'spool_full',
        'the heartbeat could not be made durable in time',
        options,
      );
      timer = setTimeout(() => reject(error), MAX_HOLD_MS);
    });
    await Promise.race([this.#options.log.append([point]), tooLong]).finally(() => clearTimeout(timer));
  }

  #add(service: string, kind: ServiceKind, given: Partial<Service>): Service {
    const { clock, config } = this.#options;
    const added: Service = {
      service,
      kind,
      isUp: true,
      sinceNs: clock.nowNs(),
      lastSeenNs: undefined,
      latencyMs: undefined,
      message: '',
      lastSeenMs: clock.monotonicMs(),
      timeoutMs: config.heartbeats.timeoutMs,
      failures: 0,
      isTold: false,
      written: { isUp: true, atMs: clock.monotonicMs() },
      ...given,
    };
    this.#services.set(service, added);
    return added;
  }

  #seen(service: Service, nowNs: bigint): void {
    service.lastSeenNs = nowNs;
    service.lastSeenMs = this.#options.clock.monotonicMs();
    service.failures = 0;
    this.#change(service, true, '', nowNs);
  }

  #change(service: Service, isUp: boolean, message: string, nowNs: bigint): void {
    service.message = message;
    if (service.isUp === isUp) return;
    Object.assign(service, { isUp, sinceNs: nowNs, isTold: false });
    if (service.kind === 'beat') this.#known.save({ ...service, lastSeenNs: service.lastSeenNs ?? nowNs });
    for (const listener of this.#listeners) listener(statusOf(service));
  }

  #tick(): void {
    const { clock, config } = this.#options;
    const [nowMs, nowNs] = [clock.monotonicMs(), clock.nowNs()];
    for (const service of this.#services.values()) {
      const silentMs = nowMs - service.lastSeenMs;
      if (service.kind === 'beat' && service.isUp && silentMs > service.timeoutMs) {
        service.latencyMs = undefined;
        this.#change(service, false, `no heartbeat for ${Math.round(silentMs / 1000)} s`, nowNs);
        this.#write([service], nowNs);
      }
    }
    if (this.#checking === undefined && nowMs - this.#checkedMs >= config.heartbeats.everyMs) {
      this.#checkedMs = nowMs;
      this.#checking = this.#check().finally(() => {
        this.#checking = undefined;
      });
    }
    for (const service of this.#services.values()) if (!service.isTold) this.#tell(service);
  }

  /** Looks at every address and every part. */
  async #check(): Promise<void> {
    const { clock, config, parts } = this.#options;
    const timeoutMs = Math.min(PROBE_TIMEOUT_MS, config.heartbeats.everyMs);
    for (const { name, status, message } of parts())
      this.#looked(`tidemark.${name}`, 'part', { problem: status === 'fail' ? message : undefined });
    await Promise.all(
      this.#checks.map(async (check) => {
        const startedMs = clock.monotonicMs();
        const problem = await probe(check, timeoutMs);
        this.#looked(check.service, 'check', { problem, latencyMs: clock.monotonicMs() - startedMs });
      }),
    );
    const nowMs = clock.monotonicMs();
    const due = [...this.#services.values()].filter(
      ({ kind, isUp, written }) =>
        kind !== 'beat' && (written.isUp !== isUp || nowMs - written.atMs >= WRITE_EVERY_MS),
    );
    this.#write(due, clock.nowNs());
  }

  #looked(
    name: string,
    kind: ServiceKind,
    { problem, latencyMs }: { problem: string | undefined; latencyMs?: number },
  ): void {
    const nowNs = this.#options.clock.nowNs();
    const service = this.#services.get(name) ?? this.#add(name, kind, { sinceNs: nowNs });
    // A service that sends heartbeats under this name goes on doing that.
    if (service.kind !== kind) return;
    service.latencyMs = latencyMs;
    if (problem === undefined) {
      this.#seen(service, nowNs);
      return;
    }
    service.failures += 1;
    if (service.failures >= FAILURES_THAT_COUNT) this.#change(service, false, problem, nowNs);
  }

  /** Writes points of the services; what the log does not take now is written the next time. */
  #write(services: readonly Service[], nowNs: bigint): void {
    if (services.length === 0) return;
    const { log, logger, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    for (const service of services) service.written = { isUp: service.isUp, atMs: nowMs };
    log.append(services.map((service) => pointOf(service, nowNs))).catch((error: unknown) => {
      for (const service of services) service.written.atMs = Number.NEGATIVE_INFINITY;
      logger.warn({ err: error }, `heartbeats are not written: ${messageOf(error)}`);
    });
  }

  /** Has the alert follow the state; tried again at the next tick where it cannot. */
  #tell(service: Service): void {
    service.isTold = this.#raise(service);
  }

  #raise({ service, isUp, message }: Pick<ServiceStatus, 'service' | 'isUp' | 'message'>): boolean {
    const { alerts, config, logger } = this.#options;
    const [taken] = alerts().take([
      {
        source: 'program',
        rule: RULE,
        sensor: service,
        fingerprint: undefined,
        isFiring: !isUp,
        severity: 'critical',
        message: isUp ? '{sensor} is up' : `{sensor} is down: ${message}`,
        value: isUp ? 1 : 0,
        sinceNs: undefined,
        endedNs: undefined,
        notify: config.heartbeats.notify,
      },
    ]);
    if (!(taken instanceof TidemarkError)) return true;
    logger.warn({ err: taken }, `the alert of ${service} waits: ${taken.message}`);
    return false;
  }

  /** Alerts of what is no longer watched have nobody else to end them. */
  #endStrayAlerts(): void {
    const { alerts, parts } = this.#options;
    const watched = new Set([
      ...this.#services.keys(),
      ...this.#checks.map(({ service }) => service),
      ...parts().map(({ name }) => `tidemark.${name}`),
    ]);
    for (const { rule, sensor, source } of alerts().alerts({ withResolved: false })) {
      if (rule === RULE && source === 'program' && !watched.has(sensor))
        this.#raise({ service: sensor, isUp: true, message: '' });
    }
  }
}
