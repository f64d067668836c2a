import { Counter, Gauge, type Registry } from '@tidemark/core';

/** What the source behind Kafka tells Prometheus. */
export class KafkaMetrics {
  readonly commits: Counter;
  readonly failedCommits: Counter;
  readonly rebalances: Counter;
  readonly #lag: Gauge;
  // Plain numbers: on the acceptance path each counter of a library shows.
  records = 0;
  emptyRecords = 0;

  constructor(registry: Registry, state: { inFlight: () => number; isConnected: () => boolean }) {
    const registers = [registry];
    const gauges: [name: string, help: string, value: () => number][] = [
      ['connected', 'Whether records are consumed', () => Number(state.isConnected())],
      ['in_flight', 'Records that wait to be durable', () => state.inFlight()],
    ];
    for (const [name, help, value] of gauges)
      new Gauge({
        name: `tidemark_kafka_${name}`,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    const counters: [name: string, help: string, value: () => number][] = [
      ['records', 'Records taken', () => this.records],
      ['empty_records', 'Records without a value among them, which hold no reading', () => this.emptyRecords],
    ];
    for (const [name, help, value] of counters)
      new Counter({
        name: `tidemark_kafka_${name}_total`,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(value());
        },
      });
    const counter = (name: string, help: string): Counter =>
      new Counter({ name: `tidemark_kafka_${name}_total`, help, registers });
    this.commits = counter('commits', 'Commits of offsets, of durable records only');
    this.failedCommits = counter(
      'failed_commits',
      'Commits that failed; those records may come again, to no effect',
    );
    this.rebalances = counter('rebalances', 'Times that the group gave out its partitions anew');
    this.#lag = new Gauge({
      name: 'tidemark_kafka_lag_records',
      help: 'Records of the partitions of this replica that are not committed yet',
      labelNames: ['topic'],
      registers,
    });
  }

  /** By topic, one number for each partition; negative where it is not known. */
  setLag(lag: ReadonlyMap<string, readonly bigint[]>): void {
    for (const [topic, partitions] of lag)
      this.#lag.set({ topic }, Number(partitions.reduce((sum, one) => (one > 0n ? sum + one : sum), 0n)));
  }
}
