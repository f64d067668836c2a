import type { SensorDirectory } from '@tidemark/core';
import type { Evaluator } from './evaluator.ts';
import type { ExternalAlerts } from './external-alerts.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Progress } from './progress.ts';
import { activate, createSeries, decodeSeries } from './series.ts';
import { standInRule } from './stand-in-rule.ts';
import type { Watch } from './watch.ts';

const GONE = { severity: 'warning', message: '', notify: [] } as const;

interface RestoreOptions {
  directory: SensorDirectory;
  evaluator: Evaluator;
  external: ExternalAlerts;
  lifecycle: Lifecycle;
  progress: Progress;
  watch: Watch;
  ranMs: number;
}

/** Takes up the series of the last run; those of rules that left the configuration file meanwhile are ended. */
export function restoreSeries({
  directory,
  evaluator,
  external,
  lifecycle,
  progress,
  watch,
  ranMs,
}: RestoreOptions): void {
  for (const { rule, sensor, saved } of progress.series()) {
    if (saved.external !== undefined) {
      external.restore(rule, sensor, saved);
      continue;
    }
    const active = evaluator.rules.get(rule);
    const series = active
      ? evaluator.seriesOf(active, sensor, ranMs)
      : createSeries(activate(standInRule(rule, GONE), directory), sensor, 0);
    if (series === undefined) continue;
    decodeSeries(series, saved);
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
