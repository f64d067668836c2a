import icon from '../icon.svg';
import { countedAlerts, type PageState } from '../model/state.ts';
import type { View } from '../platform/view.ts';

export function Header({ state, view }: { state: PageState; view: View }) {
  return (
    <header class="masthead">
      <a class="brand" href="/" aria-label="Tidemark, home">
        <img src={icon} alt="" width="26" height="26" />
        <span>Tidemark</span>
        {state.health && <small>{state.health.version}</small>}
      </a>
      <HealthLink state={state} />
      <nav aria-label="Platform">
        <a href="#/" aria-current={view === 'sensors' ? 'page' : undefined}>
          Sensors
        </a>
        <a href="#/alerts" aria-current={view === 'alerts' ? 'page' : undefined}>
          Alerts {state.firing > 0 && <b class="firing">{firingText(state.firing)}</b>}
        </a>
        <a href="#/quarantine" aria-current={view === 'quarantine' ? 'page' : undefined}>
          Quarantine
        </a>
        <a href="#/services" aria-current={view === 'services' ? 'page' : undefined}>
          Services
        </a>
        <a href="#/travellers" aria-current={view === 'travellers' ? 'page' : undefined}>
          Travellers
        </a>
        {state.health?.flowsPort && <a href={`//${location.hostname}:${state.health.flowsPort}/`}>Flows</a>}
        <a href="/docs">API</a>
        <a href="/metrics">Metrics</a>
        <a href="/health">Health</a>
      </nav>
    </header>
  );
}

function firingText(count: number): string {
  return count < countedAlerts ? String(count) : `${countedAlerts - 1}+`;
}

function HealthLink({ state: { health, connection } }: { state: PageState }) {
  const [tone, text] = healthOf(health?.status, connection, health?.message);
  return (
    <a class="health" href="/health" data-tone={tone}>
      <i class="dot" aria-hidden="true" />
      <span role="status">{text}</span>
    </a>
  );
}

function healthOf(
  status: 'pass' | 'fail' | undefined,
  connection: PageState['connection'],
  message: string | undefined,
): [tone: 'good' | 'bad' | 'waiting', text: string] {
  if (connection === 'unauthorized') return ['waiting', 'A token is needed'];
  if (connection === 'lost') return ['bad', 'Connection lost'];
  if (status === 'fail') return ['bad', message ?? 'A part has failed'];
  if (status === undefined || connection === 'connecting') return ['waiting', 'Connecting'];
  return ['good', 'All parts well'];
}
