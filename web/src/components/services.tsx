import { useEffect, useLayoutEffect, useReducer, useState } from 'preact/hooks';
import { formatAge, formatValue } from '../format.ts';
import { type ServiceJson, ServicesState } from '../model/services.ts';
import { Table } from './table.tsx';

const kinds = { beat: 'heartbeats', check: 'looked at', part: 'part of Tidemark' };

/** Who sends heartbeats, what is looked at, and the platform's own parts: up or down, and since when. */
export function Services() {
  const [state] = useState(() => new ServicesState());
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useLayoutEffect(() => state.subscribe(() => redraw(undefined)), [state]);
  useEffect(() => state.follow(), [state]);
  if (!state.isLoaded) return <p class="quiet">Loading…</p>;
  const down = state.items.filter((item) => item.state === 'down').length;
  return (
    <section id="services" aria-labelledby="services-title">
      <div class="section-head">
        <h2 id="services-title">Services</h2>
        <p class="quiet">
          {down === 0 ? `All ${state.items.length} are up.` : `${down} of ${state.items.length} down.`}{' '}
          <a href="/docs#tag/Heartbeats">API</a>
        </p>
      </div>
      {state.fault !== '' && (
        <p class="outcome fault" role="alert">
          {state.fault}
        </p>
      )}
      <Table columns={['State', 'Service', 'Since', 'Heard of', 'Latency', 'Message']} hasActions isWide>
        {state.items.map((item) => (
          <ServiceRow key={item.service} item={item} state={state} />
        ))}
      </Table>
    </section>
  );
}

function ServiceRow({ item, state }: { item: ServiceJson; state: ServicesState }) {
  const { service, kind, since, lastSeen, latencyMs, message } = item;
  return (
    <tr data-service={service}>
      <td>
        <span class="state" data-state={item.state}>
          <i class="dot" aria-hidden="true" />
          {item.state}
        </span>
      </td>
      <td class="topic">
        {service} <span class="detail">{kinds[kind]}</span>
      </td>
      <td class="time" title={since}>
        {formatAge(Date.parse(since), Date.now())}
      </td>
      <td class="time" title={lastSeen ?? ''}>
        {lastSeen === null ? 'never' : formatAge(Date.parse(lastSeen), Date.now())}
      </td>
      <td>{latencyMs === null ? '' : `${formatValue(latencyMs)} ms`}</td>
      <td>{message}</td>
      <td class="actions">
        {kind === 'beat' && (
          <button type="button" class="link" onClick={() => void state.forget(service)}>
            Stop watching
          </button>
        )}
      </td>
    </tr>
  );
}
