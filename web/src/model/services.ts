import { ask, askJson } from '../platform/client.ts';

/** A service that is watched, as the API shows it. */
export interface ServiceJson {
  service: string;
  kind: 'beat' | 'check' | 'part';
  state: 'up' | 'down';
  since: string;
  lastSeen: string | null;
  latencyMs: number | null;
  message: string;
}

const refreshEveryMs = 3000;

/** What the view of services shows. */
export class ServicesState {
  /** Those that are down first. */
  items: ServiceJson[] = [];
  isLoaded = false;
  fault = '';
  readonly #listeners = new Set<() => void>();

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Keeps the view current until the answer is called. */
  follow(): () => void {
    void this.#load();
    const timer = setInterval(() => void this.#load(), refreshEveryMs);
    return () => clearInterval(timer);
  }

  /** Watches a service no longer that will not come again. */
  async forget(service: string): Promise<void> {
    this.fault = '';
    try {
      await ask(`/api/v1/heartbeats/${encodeURIComponent(service)}`, { method: 'DELETE' });
    } catch (error) {
      this.fault = error instanceof Error ? error.message : String(error);
    }
    await this.#load();
  }

  async #load(): Promise<void> {
    try {
      const { items } = await askJson<{ items: ServiceJson[] }>('/api/v1/heartbeats');
      this.items = items.toSorted((a, b) => Number(a.state === 'up') - Number(b.state === 'up'));
      this.isLoaded = true;
    } catch {
      // The page says that the connection is lost; the next load comes by itself.
    }
    for (const listener of this.#listeners) listener();
  }
}
