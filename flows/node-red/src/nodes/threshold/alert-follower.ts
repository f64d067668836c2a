import type { Api } from '../../platform/api.ts';
import { EventStream } from '../../platform/event-stream.ts';
import { messageOf } from '../../runtime/define-node.ts';
import type { AlertMemory } from './alert-memory.ts';

const pageSize = 1000;
const activeStates = ['firing', 'acknowledged', 'silenced'];

/** An alert as it is now, or as it was at a change of it. */
export interface Alert {
  rule: string;
  sensor: string;
  metric: string | null;
  state: string;
  value: number | null;
  isCurrent: boolean;
  [member: string]: unknown;
}

interface FollowerOptions {
  api: Api;
  ruleId: string;
  memory: AlertMemory;
  /** Sees that the platform has the rule; called before its alerts are followed, on each platform. */
  keepRule: () => Promise<void>;
  onRaised: (alert: Alert) => void;
  onCleared: (alert: Alert) => void;
  onOpen: () => void;
  onLost: (reason: string) => void;
}

/** Follows the alerts of one rule: each is raised once and cleared once, over restarts of either side. */
export class AlertFollower {
  readonly #options: FollowerOptions;
  readonly #stream: EventStream;

  constructor(options: FollowerOptions) {
    const { api, onLost } = options;
    this.#options = options;
    this.#stream = new EventStream({
      api,
      path: '/api/v1/alerts/live',
      onEvent: ({ data }) => this.#take(JSON.parse(data) as Alert & { number: number }),
      onOpen: () => this.#onOpen(),
      onLost,
    });
  }

  /**
   * Follows from where it was, by the memory, which must be loaded. Where that is not known, what fires now is
   * raised. Throws `ApiError`, and what `keepRule` throws.
   */
  async open(): Promise<void> {
    const { memory, keepRule } = this.#options;
    await keepRule();
    const newest = await this.#newest();
    // A platform that has told fewer changes than were seen is another one, or was restored from a backup.
    const isKnown = memory.seen !== undefined && memory.seen <= newest;
    if (!isKnown) memory.seen = newest;
    this.#stream.resumeAt(String(memory.seen));
    await this.#stream.open();
    if (!isKnown) await this.#compare();
  }

  close(): void {
    this.#stream.close();
  }

  #onOpen(): void {
    const { memory, onOpen, onLost } = this.#options;
    onOpen();
    // What answers may be another platform than before.
    this.#newest()
      .then((newest) => (memory.seen! > newest ? this.open() : undefined))
      .catch((error: unknown) => onLost(messageOf(error)));
  }

  /** Number of the last change that the platform has told; 0 when there is none. */
  async #newest(): Promise<number> {
    const { json } = await this.#options.api.request('GET', '/api/v1/alerts/history', {
      query: { limit: '1' },
    });
    return (json as { items: { number: number }[] }).items[0]?.number ?? 0;
  }

  /** Brings what was told in line with what is. */
  async #compare(): Promise<void> {
    const { memory, ruleId, onCleared } = this.#options;
    const alerts = await this.#alerts();
    const active = new Set(alerts.map(({ sensor }) => sensor));
    for (const alert of alerts) this.#raise(alert);
    for (const sensor of [...memory.raised].filter((one) => !active.has(one))) {
      memory.raised.delete(sensor);
      onCleared({ rule: ruleId, sensor, metric: null, state: 'resolved', value: null, isCurrent: true });
    }
    memory.save();
  }

  async #alerts(): Promise<Alert[]> {
    const { api, ruleId } = this.#options;
    const all: Alert[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const { json } = await api.request('GET', '/api/v1/alerts', {
        query: { rule: ruleId, limit: String(pageSize), cursor: cursor === '' ? undefined : cursor },
      });
      const { items, next } = json as { items: Alert[]; next: string | null };
      all.push(...items.filter(({ state, isCurrent }) => isCurrent && activeStates.includes(state)));
      cursor = next ?? undefined;
    }
    return all;
  }

  #take(change: Alert & { number: number }): void {
    const { memory, ruleId, onCleared } = this.#options;
    memory.seen = change.number;
    if (change.rule === ruleId) {
      if (change.state === 'resolved') {
        if (memory.raised.delete(change.sensor)) onCleared(change);
      } else if (change.isCurrent && activeStates.includes(change.state)) {
        this.#raise(change);
      }
    }
    memory.save();
  }

  #raise(alert: Alert): void {
    const { memory, onRaised } = this.#options;
    if (memory.raised.has(alert.sensor)) return;
    memory.raised.add(alert.sensor);
    onRaised(alert);
  }
}
