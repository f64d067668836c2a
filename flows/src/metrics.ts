import { Counter, Gauge, type Registry } from '@tidemark/core';
import type { Usage } from './messages.ts';
import { type RestartReason, restartReasons } from './restarts.ts';

/** `tidemark_flows_*`: what the process of Node-RED tells of itself, and how often it was started anew. */
export class FlowsMetrics {
  readonly #gauges: Record<GaugeName, Gauge>;
  readonly #counters: Record<CounterName, Counter>;
  readonly #restarts: Counter;

  constructor(metrics: Registry) {
    const registers = [metrics];
    const gauge = (name: string, help: string) =>
      new Gauge({ name: `tidemark_flows_${name}`, help, registers });
    const counter = (name: string, help: string) =>
      new Counter({ name: `tidemark_flows_${name}`, help, registers });
    this.#gauges = {
      up: gauge('up', '1 while Node-RED runs and its flows with it'),
      safeMode: gauge('safe_mode', '1 while flows are stopped because they ended Node-RED again and again'),
      startTime: gauge('start_time_seconds', 'When Node-RED was started, in seconds since 1970'),
      flows: gauge('deployed_flows', 'Flows that are deployed and not disabled'),
      nodes: gauge('deployed_nodes', 'Nodes that are deployed and not disabled'),
      heap: gauge('heap_used_bytes', 'Heap that Node-RED uses'),
      resident: gauge('resident_memory_bytes', 'Memory that Node-RED has'),
      delayP99: gauge(
        'event_loop_delay_p99_seconds',
        "99th percentile of its event loop's delay, of a second",
      ),
      delayMax: gauge('event_loop_delay_max_seconds', 'The longest delay of its event loop, of a second'),
    };
    this.#counters = {
      messages: counter('messages_total', 'Messages that nodes received'),
      droppedLines: counter('dropped_log_lines_total', 'Lines for the log beyond 200 within 10 s'),
      cpu: counter('cpu_seconds_total', 'Processor time of Node-RED'),
    };
    this.#restarts = new Counter({
      name: 'tidemark_flows_restarts_total',
      help: 'Times that Node-RED ended and was started anew, by why it ended',
      labelNames: ['reason'],
      registers,
    });
    for (const reason of restartReasons) this.#restarts.inc({ reason }, 0);
  }

  started(nowMs: number): void {
    this.#gauges.startTime.set(nowMs / 1000);
  }

  used(usage: Usage): void {
    this.#gauges.up.set(usage.areFlowsRunning ? 1 : 0);
    this.#gauges.safeMode.set(usage.areFlowsRunning ? 0 : 1);
    this.#gauges.flows.set(usage.flows);
    this.#gauges.nodes.set(usage.nodes);
    this.#gauges.heap.set(usage.heapBytes);
    this.#gauges.resident.set(usage.residentBytes);
    this.#gauges.delayP99.set(usage.delayP99Seconds);
    this.#gauges.delayMax.set(usage.delayMaxSeconds);
    this.#counters.messages.inc(usage.messages);
    this.#counters.droppedLines.inc(usage.droppedLines);
    this.#counters.cpu.inc(usage.cpuSeconds);
  }

  /** It is gone: nothing of it is used any more. */
  ended(reason: RestartReason | undefined): void {
    for (const gauge of Object.values(this.#gauges)) gauge.set(0);
    if (reason !== undefined) this.#restarts.inc({ reason });
  }
}

type GaugeName =
  | 'up'
  | 'safeMode'
  | 'startTime'
  | 'flows'
  | 'nodes'
  | 'heap'
  | 'resident'
  | 'delayP99'
  | 'delayMax';

type CounterName = 'messages' | 'droppedLines' | 'cpu';
