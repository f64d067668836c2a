import type { Expression } from '@tidemark/influxql';
import type { TagSet } from '../series.ts';
import type { TagIndex } from '../tag-index.ts';
import { isTag } from './conditions.ts';

/**
 * Tag sets among which are all that a condition may hold for, when its tags single some out by `=`; undefined when only
 * a look at each can tell.
 */
export function candidatesFor(condition: Expression, index: TagIndex): readonly TagSet[] | undefined {
  if (condition.kind === 'paren') return candidatesFor(condition.inner, index);
  if (condition.kind !== 'binary') return undefined;
  const { operator, left, right } = condition;
  if (operator === '=') return singledOut(left, right, index) ?? singledOut(right, left, index);
  if (operator !== 'AND' && operator !== 'OR') return undefined;
  const a = candidatesFor(left, index);
  const b = a === undefined && operator === 'OR' ? undefined : candidatesFor(right, index);
  if (operator === 'OR') return a && b && inOrder([...a, ...b]);
  if (a === undefined || b === undefined) return a ?? b;
  return a.length <= b.length ? a : b;
}

function singledOut(tag: Expression, text: Expression, index: TagIndex): readonly TagSet[] | undefined {
  if (tag.kind !== 'reference' || !isTag(tag) || text.kind !== 'string') return undefined;
  // A tag that is absent is an empty text.
  return text.value === '' ? undefined : index.find(tag.name, text.value);
}

/** Each once, in the order of their first series, which is that in which they came. */
function inOrder(tagSets: readonly TagSet[]): TagSet[] {
  const firstId = ({ series }: TagSet): number => series.values().next().value?.id ?? 0;
  return [...new Set(tagSets)].sort((one, other) => firstId(one) - firstId(other));
}
