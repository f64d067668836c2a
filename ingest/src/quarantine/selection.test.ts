import { expect, it } from 'vitest';
import { openMeta } from '../testing/test-parts.ts';
import { type Selection, toSql } from './selection.ts';

const names = { reason: 'empty' as const, source: 'mqtt', sensor: 's', topic: 't' };
const place = { timeNs: 5n, id: '7' };

it.each<[string, Selection]>([
  ['time', {}],
  ['time', { fromNs: 1n, toNs: 2n, before: place, newestId: '9' }],
  ['source', { source: 'mqtt', after: place }],
  ['reason', { reason: 'empty', source: 'mqtt', fromNs: 1n }],
  ['topic', { topic: 't', reason: 'empty' }],
  ['sensor', names],
])('answers by the index on %s, in its order (case %#)', async (index, selection) => {
  const db = await openMeta();
  const { from, values } = toSql(selection);
  const sql = `EXPLAIN QUERY PLAN SELECT * ${from} ORDER BY time_ns DESC, id DESC LIMIT 10`;
  const [step, ...rest] = db.prepare(sql).all(...values) as { detail: string }[];
  expect(step!.detail).toMatch(new RegExp(`USING INDEX quarantine_by_${index}( |$)`));
  // Equal times alone are sorted; a sort of all that match would cost as much as they are many.
  for (const { detail } of rest) expect(detail).toBe('USE TEMP B-TREE FOR LAST TERM OF ORDER BY');
});
