import { Counter, Gauge, type Registry } from '@tidemark/core';

const refusals = ['limit', 'token', 'http', 'idle'] as const;
const answers = ['ok', 'error', 'retry'] as const;

/** What the gateway for lines tells Prometheus. */
export class LineMetrics {
  readonly heldTooLong: Counter;
  readonly #refused: Counter;
  // A plain number for each line: on the acceptance path a counter of a library shows.
  readonly #answers = { ok: 0, error: 0, retry: 0 };

  constructor(registry: Registry, connections: () => number) {
    const registers = [registry];
    const counts = this.#answers;
    new Gauge({
      name: 'tidemark_lines_connections',
      help: 'Connections to the gateway for lines',
      registers,
      collect() {
        this.set(connections());
      },
    });
    new Counter({
      name: 'tidemark_lines_answers_total',
      help: 'Answers to lines: ok, error (refused, in the quarantine) and retry (not taken, the connection closed)',
      labelNames: ['answer'],
      registers,
      collect() {
        this.reset();
        for (const answer of answers) this.inc({ answer }, counts[answer]);
      },
    });
    this.#refused = new Counter({
      name: 'tidemark_lines_closed_connections_total',
      help: 'Connections that were closed: over the limit, without the right token, from HTTP, or idle',
      labelNames: ['reason'],
      registers,
    });
    for (const reason of refusals) this.#refused.inc({ reason }, 0);
    this.heldTooLong = new Counter({
      name: 'tidemark_lines_held_connections_total',
      help: 'Connections closed after their lines waited 5 s for the disk',
      registers,
    });
  }

  refuse(reason: (typeof refusals)[number]): void {
    this.#refused.inc({ reason });
  }

  answer(kind: (typeof answers)[number]): void {
    this.#answers[kind]++;
  }
}
