import { useEffect, useLayoutEffect, useReducer, useState } from 'preact/hooks';
import { matchesFilter } from '../model/sensors.ts';
import type { PageState } from '../model/state.ts';
import { useView, type View } from '../platform/view.ts';
import { Alerts } from './alerts.tsx';
import { ConnectionNotice } from './connection-notice.tsx';
import { EmptyState } from './empty-state.tsx';
import { Filter } from './filter.tsx';
import { Header } from './header.tsx';
import { Quarantine } from './quarantine.tsx';
import { Refusals } from './refusals.tsx';
import { SensorCard } from './sensor-card.tsx';
import { Services } from './services.tsx';
import { Storage } from './storage.tsx';
import { Tiles } from './tiles.tsx';
import { TokenForm } from './token-form.tsx';
import { Travellers } from './travellers.tsx';

const cardsAtOnce = 24;

export function Page({ state }: { state: PageState }) {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  // In the layout phase, before anything that has been asked for can have been answered.
  useLayoutEffect(() => state.subscribe(() => redraw(undefined)), [state]);
  const view = useView();
  return (
    <>
      <Header state={state} view={view} />
      <main>
        {state.connection === 'unauthorized' ? (
          <TokenForm state={state} />
        ) : (
          <Data state={state} view={view} />
        )}
      </main>
    </>
  );
}

function Data({ state, view }: { state: PageState; view: View }) {
  if (!state.isLoaded) return <ConnectionNotice state={state} />;
  if (view !== 'sensors') {
    return (
      <>
        <ConnectionNotice state={state} />
        {view === 'alerts' && <Alerts />}
        {view === 'quarantine' && <Quarantine />}
        {view === 'services' && <Services />}
        {view === 'travellers' && <Travellers />}
      </>
    );
  }
  return (
    <>
      <ConnectionNotice state={state} />
      <Tiles state={state} />
      {state.sensors.count === 0 ? <EmptyState /> : <SensorGrid state={state} />}
      <Refusals state={state} />
      <Storage state={state} />
    </>
  );
}

function SensorGrid({ state }: { state: PageState }) {
  const [filter, setFilter] = useState('');
  const [limit, setLimit] = useState(cardsAtOnce);
  const found = state.sensors.sorted().filter((sensor) => matchesFilter(sensor, filter));
  const shown = found.slice(0, limit);
  useEffect(() => state.showHistory(shown));
  return (
    <section aria-labelledby="sensors-title">
      <div class="section-head">
        <h2 id="sensors-title">Sensors</h2>
        <Filter value={filter} onChange={setFilter} found={found.length} total={state.sensors.count} />
      </div>
      <div class="grid">
        {shown.map((sensor) => (
          <SensorCard key={sensor.id} sensor={sensor} nowMs={state.nowMs} />
        ))}
      </div>
      {found.length === 0 && <p class="quiet">No sensor, location or metric matches “{filter}”.</p>}
      {found.length > shown.length && (
        <button type="button" class="more" onClick={() => setLimit(limit + cardsAtOnce)}>
          Show {Math.min(cardsAtOnce, found.length - shown.length)} more of {found.length - shown.length}
        </button>
      )}
    </section>
  );
}
