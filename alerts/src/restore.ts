import type { Rule, SensorDirectory, StoredRule } from '@tidemark/core';
import type { Evaluator } from './evaluator.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Progress } from './progress.ts';
import { readRule } from './read-rule.ts';
import { activate, createSeries, decodeSeries } from './series.ts';
import type { Watch } from './watch.ts';

interface RestoreOptions {
  directory: SensorDirectory;
  evaluator: Evaluator;
  lifecycle: Lifecycle;
  progress: Progress;
  watch: Watch;
  ranMs: number;
}

/** Takes up the series of the last run; those of rules that left the configuration file meanwhile are ended. */
export function restoreSeries({
  directory,
  evaluator,
  lifecycle,
  progress,
  watch,
  ranMs,
}: RestoreOptions): void {
  for (const { rule, sensor, state } of progress.series()) {
    const active = evaluator.rules.get(rule);
    const series = active
      ? evaluator.seriesOf(active, sensor, ranMs)
      : createSeries(activate(goneRule(rule), directory), sensor, 0);
    if (series === undefined) continue;
    decodeSeries(series, state);
    if (active?.rule.isEnabled !== true) {
      const comment = active === undefined ? 'the rule is gone' : 'the rule was changed';
      lifecycle.dropped(series, comment, active === undefined);
      if (active !== undefined) evaluator.forget(series);
      continue;
    }
    watch.takeUp(series, ranMs);
    if (series.phase !== 'ok') lifecycle.active.add(series);
  }
}

/** Stands for a rule that is gone. */
function goneRule(id: string): StoredRule {
  const rule = readRule({ id, absent: '1m' }) as Rule;
  return { ...rule, source: 'file', document: {}, createdNs: 0n, updatedNs: 0n, version: 1 };
}
