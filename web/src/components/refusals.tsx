import { previewPayload } from '../format.ts';
import type { PageState } from '../model/state.ts';
import { RefusalCells, RefusalHeadings } from './refusal-cells.tsx';

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
      <div class="table">
        <table>
          <thead>
            <tr>
              <RefusalHeadings />
            </tr>
          </thead>
          <tbody>
            {refusals.map((item) => (
              <tr key={item.id}>
                <RefusalCells item={item} nowMs={nowMs} />
                <td>
                  <code class="payload">{previewPayload(item.payload)}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
