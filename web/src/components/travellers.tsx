import { useEffect, useLayoutEffect, useMemo, useReducer, useState } from 'preact/hooks';
import { formatCount } from '../format.ts';
import { askedSensors, TravellersState } from '../model/travellers.ts';
import { formAddress, readForm } from '../model/travellers-form.ts';
import { readToken } from '../platform/client.ts';
import { readHint } from '../platform/hints.ts';
import { useViewQuery } from '../platform/view.ts';
import { CopyLine } from './copy-line.tsx';
import { Stays } from './stays.tsx';
import { TravellerCard } from './traveller-card.tsx';
import { TravellersForm } from './travellers-form.tsx';

const cardsAtOnce = 12;

/** Who passed the cameras, and how fast: a form that the address keeps, charts by sensor and type, and the latest stays. */
export function Travellers() {
  const query = useViewQuery();
  const form = useMemo(() => readForm(query), [query]);
  const [state] = useState(() => new TravellersState());
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useLayoutEffect(() => state.subscribe(() => redraw(undefined)), [state]);
  useEffect(() => state.follow(form), [state, form]);
  if (state.isLoaded && state.fault === '' && state.sensors.length === 0) return <NoTravellers />;
  return (
    <section id="travellers" aria-labelledby="travellers-title">
      <div class="section-head">
        <h2 id="travellers-title">Travellers</h2>
        <p class="quiet">
          Speeds in m/s: the line is the mean, the band reaches from the slowest to the fastest.{' '}
          <a href="/docs#tag/Travellers">API</a>
        </p>
      </div>
      <TravellersForm
        form={form}
        state={state}
        onChange={(changed) => {
          location.hash = formAddress(changed);
        }}
      />
      {state.fault !== '' && (
        <p class="outcome fault" role="alert">
          {state.fault}
        </p>
      )}
      {!state.isLoaded && <p class="quiet">Loading…</p>}
      {state.isLoaded && state.fault === '' && <Found state={state} isAll={form.sensor === ''} />}
    </section>
  );
}

function Found({ state, isAll }: { state: TravellersState; isAll: boolean }) {
  const [limit, setLimit] = useState(cardsAtOnce);
  const { groups, sensors } = state;
  return (
    <>
      {isAll && sensors.length > askedSensors && (
        <p class="quiet outcome">
          The first {askedSensors} of {formatCount(sensors.length)} sensors; choose one to see another.
        </p>
      )}
      {groups.length === 0 && <p class="quiet">Nobody was there in this range; choose a longer one.</p>}
      <div class="grid passing">
        {groups.slice(0, limit).map((group) => (
          <TravellerCard key={`${group.sensor}/${group.type}`} group={group} />
        ))}
      </div>
      {groups.length > limit && (
        <button type="button" class="more" onClick={() => setLimit(limit + cardsAtOnce)}>
          Show {Math.min(cardsAtOnce, groups.length - limit)} more of {groups.length - limit}
        </button>
      )}
      <Stays state={state} />
    </>
  );
}

function NoTravellers() {
  const mqttPort = readHint('mqtt-port');
  const position = `'{"traveller": "t17", "type": "cyclist", "x": 3.2, "y": 0.4}'`;
  const host = location.hostname;
  const needsToken = readToken() !== null;
  const user = needsToken ? ' -u USER -P PASSWORD' : '';
  const simulatedUser = needsToken ? ' --username USER --password PASSWORD' : '';
  return (
    <section class="empty" aria-labelledby="no-travellers">
      <h2 id="no-travellers">No travellers yet</h2>
      <p>
        Publish positions on <code>travellers/&lt;sensor&gt;</code>, or let some be simulated.
      </p>
      {mqttPort !== '' && (
        <>
          <CopyLine
            label="A camera's position, by MQTT"
            line={`mosquitto_pub -h ${host} -p ${mqttPort}${user} -q 1 -t travellers/gate -m ${position}`}
          />
          <CopyLine
            label="A simulated crowd"
            line={`npx tidemark simulate travellers --url mqtt://${host}:${mqttPort}${simulatedUser}`}
          />
        </>
      )}
    </section>
  );
}
