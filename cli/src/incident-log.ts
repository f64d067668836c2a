import { Counter, type Incident, type IncidentSink, type Logger, type Registry } from '@tidemark/core';

/** Tells incidents in the log, and counts them. */
export class IncidentLog implements IncidentSink {
  readonly #logger: Logger;
  readonly #incidents: Counter;

  constructor({ logger, metrics }: { logger: Logger; metrics: Registry }) {
    this.#logger = logger;
    this.#incidents = new Counter({
      name: 'tidemark_incidents_total',
      help: 'Incidents that were told, by kind and whether they began or ended',
      labelNames: ['kind', 'state'],
      registers: [metrics],
    });
  }

  tell({ id, kind, state, message }: Incident): void {
    this.#incidents.inc({ kind, state });
    if (state === 'open') this.#logger.warn({ incident: id }, message);
    else this.#logger.info({ incident: id }, message);
  }
}
