import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Usage } from '../messages.ts';
import type { LineBudget } from './line-budget.ts';
import type { NodeRed } from './node-red.ts';

const RESOLUTION_MS = 10;
const NS_PER_SECOND = 1e9;
const US_PER_SECOND = 1e6;

/** What the process uses, since the time before. */
export class UsageMeter {
  readonly #nodeRed: NodeRed;
  readonly #lines: LineBudget;
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #cpu = process.cpuUsage();

  constructor({ nodeRed, lines }: { nodeRed: NodeRed; lines: LineBudget }) {
    this.#nodeRed = nodeRed;
    this.#lines = lines;
    this.#delay.enable();
  }

  read(): Usage {
    const { user, system } = process.cpuUsage(this.#cpu);
    this.#cpu = process.cpuUsage();
    const { heapUsed, rss } = process.memoryUsage();
    const usage = {
      areFlowsRunning: this.#nodeRed.areFlowsRunning,
      ...this.#nodeRed.counts,
      messages: this.#nodeRed.takeReceived(),
      droppedLines: this.#lines.takeDropped(),
      cpuSeconds: (user + system) / US_PER_SECOND,
      heapBytes: heapUsed,
      residentBytes: rss,
      delayP99Seconds: this.#delay.percentile(99) / NS_PER_SECOND,
      delayMaxSeconds: this.#delay.max / NS_PER_SECOND,
    };
    this.#delay.reset();
    return usage;
  }
}
