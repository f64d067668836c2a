import type { Beat, Heartbeats, ServiceStatus } from '@tidemark/core';

/** Heartbeats that are kept; a test says who goes down. */
export class MemoryHeartbeats implements Heartbeats {
  readonly #services = new Map<string, ServiceStatus>();
  readonly #listeners = new Set<(status: ServiceStatus) => void>();

  async beat({ service, latencyMs }: Beat): Promise<bigint> {
    this.set({ service, latencyMs, isUp: true });
    return 1n;
  }

  set(given: Partial<ServiceStatus> & { service: string }): void {
    const status: ServiceStatus = {
      kind: 'beat',
      isUp: true,
      sinceNs: 1n,
      lastSeenNs: 1n,
      latencyMs: undefined,
      message: '',
      ...given,
    };
    this.#services.set(given.service, status);
    for (const listener of this.#listeners) listener(status);
  }

  services(): ServiceStatus[] {
    return [...this.#services.values()];
  }

  forget(service: string): boolean {
    return this.#services.delete(service);
  }

  watch(listener: (status: ServiceStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
