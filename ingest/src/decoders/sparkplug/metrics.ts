import { Counter, type Registry } from '@tidemark/core';

/** What becomes of Sparkplug messages beside their readings. */
export class SparkplugMetrics {
  readonly births: Counter<'of'>;
  readonly deaths: Counter<'of'>;
  readonly gaps: Counter;
  readonly rebirthRequests: Counter<'cause'>;
  readonly forgottenNodes: Counter;
  readonly unstored: Counter<'cause'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.births = new Counter({
      name: 'tidemark_sparkplug_births_total',
      help: 'Births of edge nodes and of their devices',
      labelNames: ['of'],
      registers,
    });
    this.deaths = new Counter({
      name: 'tidemark_sparkplug_deaths_total',
      help: 'Deaths of edge nodes and of their devices',
      labelNames: ['of'],
      registers,
    });
    this.gaps = new Counter({
      name: 'tidemark_sparkplug_sequence_gaps_total',
      help: 'Times that messages of an edge node were missing by their numbers',
      registers,
    });
    this.rebirthRequests = new Counter({
      name: 'tidemark_sparkplug_rebirth_requests_total',
      help: 'Requests to edge nodes to send their births again, by cause',
      labelNames: ['cause'],
      registers,
    });
    this.forgottenNodes = new Counter({
      name: 'tidemark_sparkplug_forgotten_nodes_total',
      help: 'Edge nodes whose births were forgotten for those of others, as `sparkplug.maxMetrics` bounds them',
      registers,
    });
    this.unstored = new Counter({
      name: 'tidemark_sparkplug_unstored_values_total',
      help: 'Metrics in Sparkplug messages that are no value to store: null, transient, or of the protocol itself',
      labelNames: ['cause'],
      registers,
    });
    for (const cause of ['null', 'transient', 'control']) this.unstored.inc({ cause }, 0);
    for (const cause of ['gap', 'no_birth']) this.rebirthRequests.inc({ cause }, 0);
    for (const whose of ['node', 'device']) {
      this.births.inc({ of: whose }, 0);
      this.deaths.inc({ of: whose }, 0);
    }
  }
}
