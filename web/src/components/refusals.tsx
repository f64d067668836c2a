import { formatClock, previewPayload } from '../format.ts';
import type { PageState } from '../model/state.ts';

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
              <th scope="col">Time</th>
              <th scope="col">Topic</th>
              <th scope="col">Reason</th>
              <th scope="col">Payload</th>
            </tr>
          </thead>
          <tbody>
            {refusals.map(({ id, time, topic, reason, detail, payload }) => (
              <tr key={id}>
                <td class="time">{formatClock(Date.parse(time), nowMs)}</td>
                <td class="topic">{topic}</td>
                <td>
                  <code class="reason">{reason}</code> <span class="detail">{detail}</span>
                </td>
                <td>
                  <code class="payload">{previewPayload(payload)}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
