import {
  type Cause,
  type Clock,
  type Issue,
  type Rule,
  type SensorDirectory,
  type StoredRule,
  TidemarkError,
} from '@tidemark/core';
import { type AuditLog, inTransaction, type MetaDb } from '@tidemark/store';
import { readRule } from './read-rule.ts';
import { Scope } from './scope.ts';

interface RuleBookOptions {
  db: MetaDb;
  clock: Clock;
  audit: AuditLog;
  directory: SensorDirectory;
  maxRules: number;
  /** Whom rules may notify. */
  channels: () => ReadonlyMap<string, unknown>;
  /** Called when a rule was added, replaced (both given) or removed. */
  onChange: (before: StoredRule | undefined, after: StoredRule | undefined) => void;
}

interface Row {
  id: string;
  document: string;
  created_ns: bigint;
  updated_ns: bigint;
  version: bigint;
}

/** The rules: those that people gave to the API, in meta.db, and those of the configuration file. */
export class RuleBook {
  readonly #options: RuleBookOptions;
  readonly #rules = new Map<string, StoredRule>();

  constructor(options: RuleBookOptions) {
    this.#options = options;
  }

  /** Reads what is kept; one that this version cannot read is an error, since it would be silent. */
  start(): void {
    const statement = this.#options.db.prepare('SELECT * FROM rules');
    statement.setReadBigInts(true);
    for (const row of statement.all() as unknown as Row[]) {
      const document = JSON.parse(row.document) as Record<string, unknown>;
      const rule = readRule(document);
      if (Array.isArray(rule)) throw unreadable(row.id, rule);
      this.#rules.set(row.id, {
        ...rule,
        source: 'api',
        document,
        createdNs: row.created_ns,
        updatedNs: row.updated_ns,
        version: Number(row.version),
      });
    }
  }

  all(): Iterable<StoredRule> {
    return this.#rules.values();
  }

  get size(): number {
    return this.#rules.size;
  }

  get(id: string): StoredRule | undefined {
    return this.#rules.get(id);
  }

  validate(document: unknown): { errors: Issue[]; warnings: Issue[] } {
    const rule = readRule(document);
    return Array.isArray(rule)
      ? { errors: rule, warnings: [] }
      : { errors: [], warnings: this.#doubts(rule) };
  }

  put(document: unknown, cause: Cause, { allowsUnknownMetric = false } = {}): StoredRule {
    const { db, clock, audit, maxRules, onChange } = this.#options;
    const rule = readRule(document);
    if (Array.isArray(rule)) throw invalidRule(rule);
    const before = this.#rules.get(rule.id);
    refuseFileRule(before);
    const unknown = allowsUnknownMetric ? undefined : this.#unknownMetric(rule);
    if (unknown !== undefined) throw invalidRule([unknown]);
    if (before === undefined && this.#rules.size >= maxRules)
      throw new TidemarkError(
        'conflict',
        `there are ${maxRules} rules; raise TIDEMARK_MAX_RULES or delete some`,
      );
    const nowNs = clock.nowNs();
    const stored: StoredRule = {
      ...rule,
      source: 'api',
      document: document as Record<string, unknown>,
      createdNs: before?.createdNs ?? nowNs,
      updatedNs: nowNs,
      version: (before?.version ?? 0) + 1,
    };
    inTransaction(db, () => {
      const { id, createdNs, updatedNs, version } = stored;
      db.prepare(
        'INSERT OR REPLACE INTO rules (id, document, created_ns, updated_ns, version) VALUES (?, ?, ?, ?, ?)',
      ).run(id, JSON.stringify(document), createdNs, updatedNs, version);
      audit.begin({ action: before ? 'rule.change' : 'rule.create', target: { id }, cause });
    });
    this.#rules.set(rule.id, stored);
    onChange(before, stored);
    return stored;
  }

  remove(id: string, cause: Cause): void {
    const { db, audit, onChange } = this.#options;
    const before = this.#rules.get(id);
    if (before === undefined) return;
    refuseFileRule(before);
    inTransaction(db, () => {
      db.prepare('DELETE FROM rules WHERE id = ?').run(id);
      audit.begin({ action: 'rule.delete', target: { id }, cause });
    });
    this.#rules.delete(id);
    onChange(before, undefined);
  }

  /** Takes the rules of the configuration file in place of those it had; with any fault, none: throws `config_invalid`. */
  setFileRules(documents: readonly unknown[]): void {
    const { clock, maxRules, onChange } = this.#options;
    const rules = this.#readAll(documents);
    const nowNs = clock.nowNs();
    const next = new Map<string, StoredRule>();
    for (const { rule, document } of rules) {
      const before = this.#rules.get(rule.id);
      const isSame = before !== undefined && JSON.stringify(before.document) === JSON.stringify(document);
      const stored = {
        ...rule,
        source: 'file',
        document,
        createdNs: nowNs,
        updatedNs: nowNs,
        version: 1,
      } as const;
      next.set(rule.id, isSame ? before : { ...stored, version: (before?.version ?? 0) + 1 });
    }
    const gone = [...this.#rules.values()].filter(({ id, source }) => source === 'file' && !next.has(id));
    const fromApi = [...this.#rules.values()].filter(({ source }) => source === 'api').length;
    if (fromApi + next.size > maxRules)
      throw new TidemarkError('config_invalid', `there may be ${maxRules} rules; raise TIDEMARK_MAX_RULES`);
    for (const rule of gone) {
      this.#rules.delete(rule.id);
      onChange(rule, undefined);
    }
    for (const [id, rule] of next) {
      const before = this.#rules.get(id);
      if (before === rule) continue;
      this.#rules.set(id, rule);
      onChange(before, rule);
    }
  }

  /** What the rules of the configuration file name that there is not, which does not keep them from being taken. */
  fileDoubts(): Issue[] {
    const metrics = new Set<string>();
    for (const sensor of this.#options.directory.sensors())
      for (const metric of Object.keys(sensor.metrics)) metrics.add(metric);
    const doubts: Issue[] = [];
    for (const rule of this.#rules.values()) {
      if (rule.source !== 'file') continue;
      const { id, metric } = rule;
      if (metric !== undefined && !metrics.has(metric))
        doubts.push({ path: `${id}.metric`, message: noSuchMetric(metric) });
      for (const { path, message } of this.#unknownChannels(rule))
        doubts.push({ path: `${id}.${path}`, message });
    }
    return doubts;
  }

  /** Metrics that nothing reports: most likely a slip of the pen. */
  #unknownMetric(rule: Pick<Rule, 'metric'>): Issue | undefined {
    const { metric } = rule;
    if (metric === undefined) return undefined;
    for (const sensor of this.#options.directory.sensors()) if (metric in sensor.metrics) return undefined;
    return { path: 'metric', message: noSuchMetric(metric) };
  }

  #doubts(rule: Rule): Issue[] {
    const unknown = this.#unknownMetric(rule);
    const scopeDoubts = unknown === undefined ? this.#scopeDoubts(rule) : [unknown];
    return [...scopeDoubts, ...this.#unknownChannels(rule)];
  }

  #scopeDoubts(rule: Rule): Issue[] {
    const { directory, clock } = this.#options;
    const scope = new Scope(rule, directory);
    const nowNs = clock.nowNs();
    for (const sensor of directory.sensors())
      if (scope.holdsNow(sensor, nowNs) && (rule.metric === undefined || rule.metric in sensor.metrics))
        return [];
    return [{ path: '', message: 'no registered sensor is in its scope' }];
  }

  #unknownChannels({ notify }: Rule): Issue[] {
    const channels = this.#options.channels();
    return notify.flatMap((name, index) =>
      channels.has(name)
        ? []
        : [{ path: `notify.${index}`, message: `there is no channel ${name} in the configuration` }],
    );
  }

  #readAll(documents: readonly unknown[]) {
    const issues: Issue[] = [];
    const rules: { rule: Rule; document: Record<string, unknown> }[] = [];
    const seen = new Set<string>();
    documents.forEach((document, index) => {
      const rule = readRule(document);
      if (Array.isArray(rule)) {
        issues.push(...rule.map(({ path, message }) => ({ path: join(`rules.${index}`, path), message })));
        return;
      }
      const isTaken = seen.has(rule.id) || this.#rules.get(rule.id)?.source === 'api';
      if (isTaken) issues.push({ path: `rules.${index}.id`, message: `there is a rule ${rule.id} already` });
      seen.add(rule.id);
      rules.push({ rule, document: document as Record<string, unknown> });
    });
    if (issues.length > 0) throw new TidemarkError('config_invalid', textOf(issues), { issues });
    return rules;
  }
}

/** The refusal of a rule, naming every fault. */
export function invalidRule(issues: Issue[]): TidemarkError {
  return new TidemarkError('bad_request', textOf(issues), { issues });
}

function noSuchMetric(metric: string): string {
  return `no registered sensor has a metric ${metric}`;
}

function refuseFileRule(rule: StoredRule | undefined): void {
  if (rule?.source === 'file')
    throw new TidemarkError('conflict', `rule ${rule.id} stands in the configuration file; change it there`);
}

function unreadable(id: string, issues: Issue[]): TidemarkError {
  return new TidemarkError(
    'store_newer',
    `rule ${id} in meta.db cannot be read by this version: ${textOf(issues)}`,
  );
}

function textOf(issues: readonly Issue[]): string {
  return issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
}

function join(path: string, rest: string): string {
  return rest === '' ? path : `${path}.${rest}`;
}
