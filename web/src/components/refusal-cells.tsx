import { formatClock } from '../format.ts';
import type { Refusal } from '../model/state.ts';

/** Headings of what each table of refusals shows. */
export const refusalColumns = ['Time', 'Topic', 'Reason', 'Payload'];

/** When, where to and why; the payload's cell is the table's own. */
export function RefusalCells({ item, nowMs }: { item: Refusal; nowMs: number }) {
  const { time, topic, reason, detail } = item;
  return (
    <>
      <td class="time">{formatClock(Date.parse(time), nowMs)}</td>
      <td class="topic">{topic}</td>
      <td>
        <code class="reason">{reason}</code> <span class="detail">{detail}</span>
      </td>
    </>
  );
}
