import { useEffect, useLayoutEffect, useReducer, useState } from 'preact/hooks';
import { formatAge, formatClock, formatValue } from '../format.ts';
import { type AlertAction, type AlertJson, AlertsState } from '../model/alerts.ts';
import { AlertForm } from './alert-form.tsx';
import { AlertRules } from './alert-rules.tsx';
import { Table } from './table.tsx';

interface Props {
  state: AlertsState;
}

/** What fires and what people do about it, who is silenced, what became of alerts, and the rules. */
export function Alerts() {
  const [state] = useState(() => new AlertsState());
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useLayoutEffect(() => state.subscribe(() => redraw(undefined)), [state]);
  useEffect(() => state.follow(), [state]);
  if (!state.isLoaded) return <p class="quiet">Loading…</p>;
  return (
    <>
      <section id="alerts" aria-labelledby="alerts-title">
        <div class="section-head">
          <h2 id="alerts-title">Alerts</h2>
          <p class="quiet">
            Those that are not resolved. <a href="/docs#tag/Alerts">API</a>
          </p>
        </div>
        {state.fault !== '' && (
          <p class="outcome fault" role="alert">
            {state.fault}
          </p>
        )}
        {state.items.length === 0 ? (
          <p class="quiet">{state.rules.length === 0 ? 'There are no rules yet.' : 'Nothing fires.'}</p>
        ) : (
          <AlertTable state={state} />
        )}
      </section>
      <Silences state={state} />
      <AlertRules state={state} />
      <Changes state={state} />
    </>
  );
}

function AlertTable({ state }: Props) {
  return (
    <Table
      columns={['State', 'Alert', 'Message', 'Value', 'Since']}
      hasActions
      isWide
      rest={
        state.hasMore && (
          <p class="quiet rest">
            There are more; <code>npx tidemark alerts</code> lists them all.
          </p>
        )
      }
    >
      {state.items.map((alert) => (
        <AlertRow key={alert.id} alert={alert} state={state} />
      ))}
    </Table>
  );
}

function AlertRow({ alert, state }: Props & { alert: AlertJson }) {
  const [action, setAction] = useState<AlertAction>();
  const { id, message, value, since } = alert;
  return (
    <>
      <tr data-id={id}>
        <td>
          <StateBadge alert={alert} />
        </td>
        <td class="topic">
          {id}
          {alert.source !== 'rule' && <span class="detail"> {alert.source}</span>}
        </td>
        <td>
          {message} <AcknowledgedBy alert={alert} />
        </td>
        <td>{value === null ? '' : formatValue(value)}</td>
        <td class="time" title={since}>
          {formatAge(Date.parse(since), Date.now())}
        </td>
        <td class="actions">
          {actionsOf(alert).map(([name, text]) => (
            <button
              key={name}
              type="button"
              class="link"
              aria-expanded={action === name}
              onClick={() => setAction(action === name ? undefined : name)}
            >
              {text}
            </button>
          ))}
        </td>
      </tr>
      {action !== undefined && (
        <tr class="form">
          <td colSpan={6}>
            <AlertForm
              key={action}
              id={id}
              action={action}
              state={state}
              onDone={() => setAction(undefined)}
            />
          </td>
        </tr>
      )}
    </>
  );
}

/** What may be done about an alert as it is. */
function actionsOf({ state }: AlertJson): [AlertAction, string][] {
  if (state === 'pending') return [['silence', 'Silence']];
  return [
    ...(state === 'acknowledged' ? [] : [['ack', 'Acknowledge'] satisfies [AlertAction, string]]),
    ['silence', 'Silence'],
    ['resolve', 'Resolve'],
  ];
}

function StateBadge({ alert: { state, severity } }: { alert: Pick<AlertJson, 'state' | 'severity'> }) {
  return (
    <span class="state" data-state={state} data-severity={severity}>
      <i class="dot" aria-hidden="true" />
      {state} <span class="detail">{severity}</span>
    </span>
  );
}

function AcknowledgedBy({ alert: { acknowledged } }: { alert: AlertJson }) {
  if (acknowledged === null) return null;
  const { by, comment } = acknowledged;
  return (
    <span class="detail">
      {by}
      {comment === null ? ' has taken it on' : `: ${comment}`}
    </span>
  );
}

function Silences({ state }: Props) {
  if (state.silences.length === 0) return null;
  return (
    <section id="silences" aria-labelledby="silences-title">
      <div class="section-head">
        <h2 id="silences-title">Silences</h2>
        <p class="quiet">Nobody is notified of these.</p>
      </div>
      <div class="table">
        <table>
          <tbody>
            {state.silences.map(({ id, rule, sensor, severity, until, by, comment }) => (
              <tr key={id}>
                <td>{[rule ?? 'any rule', sensor ?? 'any sensor', severity].filter(Boolean).join(' · ')}</td>
                <td class="time">until {formatClock(Date.parse(until), Date.now())}</td>
                <td>
                  {by} <span class="detail">{comment}</span>
                </td>
                <td class="actions">
                  <button
                    type="button"
                    class="link"
                    disabled={state.isBusy}
                    onClick={() => void state.endSilence(id)}
                  >
                    End
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Changes({ state: { changes } }: Props) {
  if (changes.length === 0) return null;
  return (
    <section id="changes" aria-labelledby="changes-title">
      <div class="section-head">
        <h2 id="changes-title">What became of alerts</h2>
        <p class="quiet">The last {changes.length} changes.</p>
      </div>
      <div class="table wide">
        <table>
          <tbody>
            {changes.map(({ number, time, id, state, message, by, comment }) => (
              <tr key={number}>
                <td class="time">{formatClock(Date.parse(time), Date.now())}</td>
                <td>{state}</td>
                <td class="topic">{id}</td>
                <td>
                  {message}{' '}
                  <span class="detail">{[by, comment].filter((text) => text !== null).join(': ')}</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
