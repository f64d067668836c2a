import { useEffect, useLayoutEffect, useReducer, useState } from 'preact/hooks';
import { formatCount, readablePayload } from '../format.ts';
import { QuarantineState } from '../model/quarantine.ts';
import type { Refusal } from '../model/state.ts';
import { QuarantineActions } from './quarantine-actions.tsx';
import { RefusalCells, refusalColumns } from './refusal-cells.tsx';
import { Table } from './table.tsx';
import { TraceForm } from './trace-form.tsx';

const previewCharacters = 160;

/** The whole quarantine: counts, filters, items, and what can be done about them. */
export function Quarantine() {
  const [state] = useState(() => new QuarantineState());
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useLayoutEffect(() => state.subscribe(() => redraw(undefined)), [state]);
  useEffect(() => state.follow(), [state]);
  if (!state.isLoaded) return <p class="quiet">Loading…</p>;
  const isQuiet = state.total === 0 && state.outcome === '' && state.fault === '';
  return (
    <section id="quarantine" aria-labelledby="quarantine-title">
      <div class="section-head">
        <h2 id="quarantine-title">Quarantine</h2>
        <p class="quiet">
          What claimed to be a reading and could not be stored. <a href="/docs#tag/Quarantine">API</a>
        </p>
      </div>
      <TraceForm />
      {isQuiet ? <NothingRefused state={state} /> : <Refused state={state} />}
    </section>
  );
}

interface Props {
  state: QuarantineState;
}

function NothingRefused({ state }: Props) {
  return (
    <div class="empty">
      <h2>Nothing refused</h2>
      <p>All that claimed to be a reading was stored. What cannot be stored appears here, with its reason.</p>
      <Evicted state={state} />
    </div>
  );
}

function Refused({ state }: Props) {
  const { items, next } = state;
  return (
    <>
      <ReasonChips state={state} />
      <div class="toolbar">
        <SensorFilter state={state} />
        <QuarantineActions state={state} />
      </div>
      <p class="outcome" role="status">
        {state.outcome}
      </p>
      {state.fault !== '' && (
        <p class="outcome fault" role="alert">
          {state.fault}
        </p>
      )}
      {items.length === 0 ? (
        <p class="quiet">No refusal matches.</p>
      ) : (
        <Table columns={refusalColumns} hasActions isWide>
          {items.map((item) => (
            <Row key={item.id} item={item} state={state} />
          ))}
        </Table>
      )}
      {next !== null && (
        <button type="button" class="more" onClick={() => void state.showMore()}>
          Show more
        </button>
      )}
      <Evicted state={state} />
    </>
  );
}

function ReasonChips({ state: { filter, reasons, choose } }: Props) {
  const all = reasons.reduce((sum, { count }) => sum + count, 0);
  const chips = [{ reason: '', count: all }, ...reasons];
  return (
    <fieldset class="chips">
      <legend class="hidden">Reason</legend>
      {chips.map(({ reason, count }) => (
        <button
          key={reason}
          type="button"
          aria-pressed={filter.reason === reason}
          onClick={() => choose({ reason })}
        >
          {reason === '' ? 'All' : <code>{reason}</code>} <b>{formatCount(count)}</b>
        </button>
      ))}
    </fieldset>
  );
}

function SensorFilter({ state: { filter, sensors, choose } }: Props) {
  return (
    <search>
      <input
        type="search"
        list="refused-sensors"
        placeholder="Sensor"
        aria-label="Sensor"
        value={filter.sensor}
        onChange={(event) => choose({ sensor: event.currentTarget.value.trim() })}
      />
      <datalist id="refused-sensors">
        {sensors.map((sensor) => (
          <option key={sensor} value={sensor} />
        ))}
      </datalist>
    </search>
  );
}

function Row({ item, state }: Props & { item: Refusal }) {
  const { id, payload } = item;
  const text = readablePayload(payload);
  return (
    <tr data-id={id}>
      <RefusalCells item={item} nowMs={Date.now()} />
      <td>
        {text.length <= previewCharacters ? (
          <code class="payload">{text}</code>
        ) : (
          <details>
            <summary>
              <code class="payload">{text.slice(0, previewCharacters)}…</code>
            </summary>
            <pre class="payload">{text}</pre>
          </details>
        )}
      </td>
      <td class="actions">
        <button type="button" class="link" disabled={state.isBusy} onClick={() => void state.replay(id)}>
          Replay
        </button>
        <button type="button" class="link bad" disabled={state.isBusy} onClick={() => void state.discard(id)}>
          Discard
        </button>
      </td>
    </tr>
  );
}

function Evicted({ state: { evicted } }: Props) {
  if (evicted === 0) return null;
  return (
    <p class="quiet evicted">
      {formatCount(evicted)} older {evicted === 1 ? 'one' : 'ones'} had to go: the quarantine keeps as many as
      its settings say.
    </p>
  );
}
