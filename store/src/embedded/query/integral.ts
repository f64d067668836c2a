import type { CallScope } from './calls.ts';
import { directionOf } from './frame.ts';
import type { Relation } from './relation.ts';
import { withWindow } from './window.ts';

/**
 * The area under the points by the trapezium rule, in units of time. What lies between two windows' points is
 * cut at the end of the first one's window; InfluxDB counts the rest for the second one's, however far it is.
 */
export function integralRelation(feed: Relation, unitNs: bigint, { frame, context }: CallScope): Relation {
  const { bindings } = context;
  const unit = `${bindings.integer(unitNs)}::DOUBLE`;
  const direction = directionOf(frame);
  const points = `SELECT g, t, w, v0::DOUBLE AS v FROM (${withWindow(feed.sql, frame, context)})
    ${feed.hasTies ? 'QUALIFY row_number() OVER (PARTITION BY g, t ORDER BY o DESC) = 1' : ''}`;
  const steps = `SELECT g, t, w, v, lag(t) OVER s AS pt, lag(v) OVER s AS pv, lag(w) OVER s AS pw,
    lead(t) OVER s IS NULL AS is_last FROM (${points}) WINDOW s AS (PARTITION BY g ORDER BY t ${direction})`;
  const area = (v: string, pv: string, elapsed: string): string =>
    `0.5 * (${v} + ${pv}) * ((${elapsed}) / ${unit})`;
  if (frame.interval === undefined) {
    return {
      sql: `SELECT g, 0::BIGINT AS t, 0::BIGINT AS o, COALESCE(sum(${area('v', 'pv', 't - pt')}), 0) AS v0
        FROM (${steps}) GROUP BY g HAVING NOT bool_or(is_last AND t = 0)`,
      types: ['float'],
      hasTies: false,
    };
  }
  const every = bindings.integer(frame.interval.everyNs);
  const cut = frame.isDescending ? 'pw' : `pw + ${every}`;
  const label = frame.isDescending ? `w + ${every}` : 'w';
  const cutSteps = `SELECT *, pw != w AS crosses, ${cut} AS e,
    pv + (v - pv) / (t - pt)::DOUBLE * (${cut} - pt) AS ev FROM (${steps})`;
  const own = `SELECT g, w, ${area('v', 'CASE WHEN crosses THEN ev ELSE pv END', 't - CASE WHEN crosses THEN e ELSE pt END')} AS a,
    is_last AND t = ${label} AS is_nothing FROM (${cutSteps})`;
  const before = `SELECT g, pw AS w, ${area('ev', 'pv', 'e - pt')} AS a, FALSE AS is_nothing FROM (${cutSteps}) WHERE crosses`;
  return {
    sql: `SELECT g, ${label} AS t, 0::BIGINT AS o, COALESCE(sum(a), 0) AS v0
      FROM (${own} UNION ALL ${before}) GROUP BY g, w HAVING NOT bool_or(is_nothing)`,
    types: ['float'],
    hasTies: false,
  };
}
