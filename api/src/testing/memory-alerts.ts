import type { Alert, Alerts, ExternalAlert, Issue, Rules, StoredRule } from '@tidemark/core';
import { type Rule, TidemarkError } from '@tidemark/core';

/** Rules that are kept as they come; what a test puts into `issues` is what is wrong with each. */
export class MemoryRules implements Rules {
  readonly kept = new Map<string, StoredRule>();
  issues: { errors: Issue[]; warnings: Issue[] } = { errors: [], warnings: [] };
  asked: unknown[] = [];

  rules() {
    return this.kept.values();
  }

  rule(id: string) {
    return this.kept.get(id);
  }

  validate() {
    return this.issues;
  }

  put(document: unknown): StoredRule {
    const { errors } = this.issues;
    if (errors.length > 0) throw new TidemarkError('bad_request', errors[0]!.message, { issues: errors });
    const { id } = document as Rule;
    const before = this.kept.get(id);
    const rule = {
      ...(document as Rule),
      source: 'api' as const,
      document: document as Record<string, unknown>,
      createdNs: before?.createdNs ?? 1n,
      updatedNs: 2n,
      version: (before?.version ?? 0) + 1,
    };
    this.kept.set(id, rule);
    return rule;
  }

  remove(id: string): void {
    this.kept.delete(id);
  }

  async dryRun(...asked: Parameters<Rules['dryRun']>) {
    this.asked.push(asked);
    const sensors = [{ sensor: 's1', firings: 2, firingMs: 1500, firstNs: 0n, lastNs: 1_000_000_000n }];
    return { readings: 10, firings: 2, sensors, cutOffNs: undefined };
  }
}

/** Alerts that a test puts there; nothing ever happens to them by itself. */
export class MemoryAlerts implements Alerts {
  readonly items: Alert[] = [];
  /** What other programs told of. */
  readonly taken: ExternalAlert[] = [];
  /** By rule. */
  readonly answers = new Map<string, Alert | TidemarkError>();
  newest = 0;

  alerts() {
    return this.items;
  }

  alert(id: string) {
    return this.items.find((alert) => alert.id === id);
  }

  history() {
    return [];
  }

  transitionsAfter() {
    return [];
  }

  waitBeyond(_after: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
  }

  acknowledge(id: string, { actor, comment }: { actor: string; comment?: string | undefined }): Alert {
    const alert = this.alert(id);
    if (alert === undefined) throw new TidemarkError('not_found', `there is no alert ${id}`);
    alert.state = 'acknowledged';
    alert.acknowledged = { by: actor, comment, timeNs: 0n };
    return alert;
  }

  resolve(id: string): Alert {
    const alert = this.acknowledge(id, { actor: 'local' });
    alert.state = 'resolved';
    return alert;
  }

  take(alerts: readonly ExternalAlert[]) {
    this.taken.push(...alerts);
    return alerts.map(({ rule }) => this.answers.get(rule));
  }

  silences() {
    return [];
  }

  silence(silence: Parameters<Alerts['silence']>[0]) {
    return { ...silence, id: '1', createdNs: 0n };
  }

  endSilence(id: string): boolean {
    return id === '1';
  }
}
