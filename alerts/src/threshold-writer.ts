import type { AlertsLog, Clock, Condition, Field, Logger, Point, Tag } from '@tidemark/core';
import type { Evaluator } from './evaluator.ts';
import type { ActiveRule } from './series.ts';

const MINUTE_NS = 60_000_000_000n;
/** Points of one record of the log. */
const CHUNK = 500;
/** Series whose thresholds are written; they are for drawing, and nobody draws more. */
const MAX_SERIES = 10_000;

interface ThresholdWriterOptions {
  clock: Clock;
  log: AlertsLog;
  logger: Logger;
  evaluator: Evaluator;
}

/**
 * Writes the measurement `rule_thresholds`: each minute, for every sensor that a rule with thresholds is evaluated
 * for, what the thresholds were, so that charts can draw them, also as they were before a rule was changed.
 */
export class ThresholdWriter {
  readonly #options: ThresholdWriterOptions;
  #writtenMinute: bigint;
  #writing: Promise<void> | undefined;

  constructor(options: ThresholdWriterOptions) {
    this.#options = options;
    this.#writtenMinute = options.clock.nowNs() / MINUTE_NS;
  }

  /** Writes once a minute. It is not waited for: a full disk holds it. What fails is logged, and the next minute's is written. */
  look(): void {
    const { clock, evaluator, logger } = this.#options;
    const minute = clock.nowNs() / MINUTE_NS;
    if (minute === this.#writtenMinute || this.#writing !== undefined) return;
    this.#writtenMinute = minute;
    const points = thresholdPoints(evaluator.rules.values(), minute * MINUTE_NS);
    this.#writing = this.#write(points)
      .catch((error: unknown) => logger.warn({ err: error }, 'thresholds of rules were not written'))
      .finally(() => {
        this.#writing = undefined;
      });
  }

  async #write(points: readonly Point[]): Promise<void> {
    for (let start = 0; start < points.length; start += CHUNK)
      await this.#options.log.append(points.slice(start, start + CHUNK));
  }
}

function thresholdPoints(rules: Iterable<ActiveRule>, timeNs: bigint): Point[] {
  const points: Point[] = [];
  for (const { rule, series } of rules) {
    const { metric } = rule;
    const fields = thresholdsOf(rule.condition);
    if (!rule.isEnabled || metric === undefined || fields.length === 0) continue;
    for (const sensor of series.keys()) {
      if (points.length === MAX_SERIES) return points;
      const tags: Tag[] = [
        ['metric', metric],
        ['rule', rule.id],
        ['sensor', sensor],
      ];
      points.push({ measurement: 'rule_thresholds', tags, fields, timeNs });
    }
  }
  return points;
}

function thresholdsOf(condition: Condition): Field[] {
  switch (condition.kind) {
    case 'above':
      return [['upper', condition.threshold]];
    case 'below':
      return [['lower', condition.threshold]];
    case 'inside':
    case 'outside':
      return [
        ['lower', condition.range[0]],
        ['upper', condition.range[1]],
      ];
    default:
      return [];
  }
}
