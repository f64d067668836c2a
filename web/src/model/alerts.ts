import { ask, askJson } from '../platform/client.ts';
import { followLive } from '../platform/live.ts';

/** An alert as the API shows it. */
export interface AlertJson {
  id: string;
  rule: string;
  sensor: string;
  source: 'rule' | 'grafana' | 'program';
  state: 'pending' | 'firing' | 'acknowledged' | 'silenced' | 'resolved';
  value: number | null;
  since: string;
  severity: 'info' | 'warning' | 'critical';
  message: string;
  acknowledged: { by: string; comment: string | null } | null;
}

/** A change of an alert, as far as it is shown. */
export interface ChangeJson {
  number: number;
  id: string;
  state: AlertJson['state'];
  value: number | null;
  message: string;
  time: string;
  by: string | null;
  comment: string | null;
}

export interface SilenceJson {
  id: string;
  rule: string | null;
  sensor: string | null;
  severity: string | null;
  until: string;
  by: string;
  comment: string | null;
}

/** A rule as it was declared, with where it stands. */
export type RuleJson = { id: string; source: 'api' | 'file'; severity?: string } & Record<string, unknown>;

interface List<Item> {
  items: Item[];
  next: string | null;
}

interface DryRunJson {
  firings: number;
  sensors: unknown[];
  cutOff: string | null;
}

export type AlertAction = 'ack' | 'silence' | 'resolve';

const listed = 200;
const shownChanges = 20;
// Values and what is pending change without an event.
const refreshEveryMs = 3000;

/** What the view of alerts shows, and what can be done there. */
export class AlertsState {
  items: AlertJson[] = [];
  hasMore = false;
  changes: ChangeJson[] = [];
  silences: SilenceJson[] = [];
  rules: RuleJson[] = [];
  hasMoreRules = false;
  /** How often rules would have fired, as far as it was asked, by id. */
  readonly answers = new Map<string, string>();
  isLoaded = false;
  isBusy = false;
  fault = '';
  readonly #listeners = new Set<() => void>();
  #isLoading = false;
  #isStale = false;

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Keeps the view current until the answer is called. */
  follow(): () => void {
    const closing = new AbortController();
    const load = (): void => void this.#load();
    const handlers = { onOpen: load, onEvents: load, onLost: () => {}, onUnauthorized: () => {} };
    void followLive('/api/v1/alerts/live', handlers, closing.signal);
    const timer = setInterval(load, refreshEveryMs);
    return () => {
      clearInterval(timer);
      closing.abort();
    };
  }

  act(id: string, action: AlertAction, words: Record<string, string>): Promise<boolean> {
    return this.#change(() => post(`/api/v1/alerts/${encodeURIComponent(id)}/${action}`, words));
  }

  endSilence(id: string): Promise<boolean> {
    return this.#change(() => ask(`/api/v1/alerts/silences/${id}`, { method: 'DELETE' }));
  }

  /** Asks how often a rule would have fired in the last 30 days. */
  async dryRun({ source, created, updated, ...rule }: RuleJson): Promise<void> {
    this.#answer(rule.id, 'asking…');
    try {
      const answer = (await (await post('/api/v1/rules/dry-run', rule)).json()) as DryRunJson;
      this.#answer(rule.id, sentenceOf(answer));
    } catch (error) {
      this.#answer(rule.id, messageOf(error));
    }
  }

  async #change(change: () => Promise<unknown>): Promise<boolean> {
    this.isBusy = true;
    this.fault = '';
    this.#tell();
    try {
      await change();
    } catch (error) {
      this.fault = messageOf(error);
    }
    await this.#load();
    this.isBusy = false;
    this.#tell();
    return this.fault === '';
  }

  /** Loads all anew; asked for while it does, it does so once more. */
  async #load(): Promise<void> {
    this.#isStale = true;
    if (this.#isLoading) return;
    this.#isLoading = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        await this.#loadOnce();
      }
    } catch {
      // The page says that the connection is lost; the next load comes by itself.
    } finally {
      this.#isLoading = false;
    }
  }

  async #loadOnce(): Promise<void> {
    const [alerts, changes, silences, rules] = await Promise.all([
      askJson<List<AlertJson>>(`/api/v1/alerts?limit=${listed}`),
      askJson<List<ChangeJson>>(`/api/v1/alerts/history?limit=${shownChanges}`),
      askJson<List<SilenceJson>>('/api/v1/alerts/silences'),
      askJson<List<RuleJson>>(`/api/v1/rules?limit=${listed}`),
    ]);
    this.items = alerts.items;
    this.hasMore = alerts.next !== null;
    this.changes = changes.items;
    this.silences = silences.items;
    this.rules = rules.items;
    this.hasMoreRules = rules.next !== null;
    this.isLoaded = true;
    this.#tell();
  }

  #answer(rule: string, text: string): void {
    this.answers.set(rule, text);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function post(path: string, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return ask(path, { method: 'POST', headers, body: JSON.stringify(body) });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function sentenceOf({ firings, sensors, cutOff }: DryRunJson): string {
  const times = firings === 1 ? 'once' : `${firings} times`;
  const where = sensors.length === 1 ? 'one sensor' : `${sensors.length} sensors`;
  const part = cutOff === null ? '' : ', not all was looked at';
  return firings === 0 ? `never in 30 days${part}` : `${times} in 30 days, by ${where}${part}`;
}
