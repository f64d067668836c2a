import { previewPayload } from '../format.ts';
import type { PageState } from '../model/state.ts';
import { RefusalCells, refusalColumns } from './refusal-cells.tsx';
import { Table } from './table.tsx';

export function Refusals({ state: { refusals, refusedTotal, nowMs } }: { state: PageState }) {
  if (refusals.length === 0) return null;
  return (
    <section id="refusals" aria-labelledby="refusals-title">
      <div class="section-head">
        <h2 id="refusals-title">Quarantine</h2>
        <p class="quiet">
          Claimed to be readings and could not be stored: the last {refusals.length} of {refusedTotal}.{' '}
          <a href="#/quarantine">See them all</a>
        </p>
      </div>
      <Table columns={refusalColumns}>
        {refusals.map((item) => (
          <tr key={item.id}>
            <RefusalCells item={item} nowMs={nowMs} />
            <td>
              <code class="payload">{previewPayload(item.payload)}</code>
            </td>
          </tr>
        ))}
      </Table>
    </section>
  );
}
