import type { QuarantineFilter, QuarantinePlace } from '@tidemark/core';

/** Which items of the quarantine: those of the filter, between two places, up to an id. */
export interface Selection extends QuarantineFilter {
  before?: QuarantinePlace | undefined;
  after?: QuarantinePlace | undefined;
  /** Leaves out what was added later. */
  newestId?: string | undefined;
}

type SqlValue = string | bigint | number;

interface SelectionSql {
  /** `FROM quarantine … WHERE …`. */
  from: string;
  values: SqlValue[];
}

/**
 * The selection as SQL over the one index that narrows it most. Without statistics SQLite would have to guess, and
 * a reason that nine in ten items have is the wrong guess.
 */
export function toSql(selection: Selection): SelectionSql {
  const { reason, source, sensor, topic, fromNs, toNs, before, after, newestId } = selection;
  const terms: [sql: string, ...values: SqlValue[]][] = [];
  const narrow = (sql: string, ...values: (SqlValue | undefined)[]): void => {
    if (values[0] !== undefined) terms.push([sql, ...(values as SqlValue[])]);
  };
  narrow('reason = ?', reason);
  narrow('source = ?', source);
  narrow('sensor = ?', sensor);
  narrow('topic = ?', topic);
  narrow('time_ns >= ?', fromNs);
  narrow('time_ns < ?', toNs);
  narrow('time_ns <= ? AND (time_ns < ? OR id < ?)', before?.timeNs, before?.timeNs, idOf(before?.id));
  narrow('time_ns >= ? AND (time_ns > ? OR id > ?)', after?.timeNs, after?.timeNs, idOf(after?.id));
  narrow('id <= ?', idOf(newestId));
  const where = terms.length === 0 ? 'true' : terms.map(([sql]) => sql).join(' AND ');
  return {
    from: `FROM quarantine INDEXED BY ${indexFor(selection)} WHERE ${where}`,
    values: terms.flatMap(([, ...values]) => values),
  };
}

function indexFor({ reason, source, sensor, topic }: Selection): string {
  if (sensor !== undefined) return 'quarantine_by_sensor';
  if (topic !== undefined) return 'quarantine_by_topic';
  if (reason !== undefined) return 'quarantine_by_reason';
  return source === undefined ? 'quarantine_by_time' : 'quarantine_by_source';
}

function idOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
