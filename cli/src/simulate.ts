import { type Clock, idProblem, systemClock, TidemarkError } from '@tidemark/core';
import { type ConnectionOptions, mqttConnection } from './connection.ts';
import { untilInterrupted } from './interrupt.ts';
import { sleepUntil } from './pace.ts';
import { type OutputOptions, printNotice, printResult, type Snapshot, withProgress } from './progress.ts';
import { Publisher } from './publisher.ts';
import { MetricModel, type MetricSpec } from './sensor-model.ts';

const drainTimeoutMs = 3000;
/** A broker that was away for longer is not sent what sensors would have measured meanwhile. */
const longestCatchUpMs = 1000;

export interface SimulateOptions extends ConnectionOptions, OutputOptions {
  sensors: number;
  /** Readings a second of each sensor. */
  rate: number;
  /** Readings of all sensors together; without it, until interrupted. */
  count?: number;
  seed: number;
  metrics: MetricSpec[];
  prefix: string;
  qos: 0 | 1 | 2;
  inFlight: number;
}

/** The command: simulates until the count is reached or Ctrl-C, showing the rate. */
export async function simulate(options: SimulateOptions): Promise<void> {
  const problem = idProblem(`${options.prefix}-${options.sensors}`);
  if (problem !== undefined)
    throw new TidemarkError('bad_request', `--prefix makes no sensor id: it ${problem}`);
  const { qos, inFlight: maxInFlight } = options;
  const publisher = new Publisher({
    connection: mqttConnection(options),
    qos,
    maxInFlight,
    onConnectionLost: () => printNotice(options, 'connection lost, reconnecting'),
  });
  const startedMs = performance.now();
  const snapshot = () => describe(publisher, performance.now() - startedMs);
  await publisher.start();
  try {
    await withProgress({
      title: `${options.sensors} sensors`,
      output: options,
      snapshot,
      run: () =>
        untilInterrupted((signal) => runSensors({ ...options, publisher, clock: systemClock, signal })),
    });
  } finally {
    await publisher.stop();
  }
  printResult(options, snapshot());
}

interface SensorsParts
  extends Pick<SimulateOptions, 'sensors' | 'rate' | 'count' | 'seed' | 'metrics' | 'prefix'> {
  publisher: Publisher;
  clock: Clock;
  signal: AbortSignal;
}

/** Publishes the readings of simulated sensors, spread evenly in time, until the count or the signal. */
export async function runSensors(parts: SensorsParts): Promise<void> {
  const { sensors, rate, count = Number.POSITIVE_INFINITY, publisher, clock, signal } = parts;
  const simulated = createSensors(parts);
  const intervalMs = 1000 / (sensors * rate);
  let startMs = performance.now();
  let timeNs = 0n;
  for (let index = 0; index < count && !signal.aborted; index++) {
    const dueMs = startMs + index * intervalMs;
    const behindMs = performance.now() - dueMs;
    if (behindMs > longestCatchUpMs) startMs += behindMs;
    else if (behindMs < 0) await sleepUntil(dueMs, signal);
    if (signal.aborted) break;
    const sensor = simulated[index % sensors]!;
    const values = sensor.next(Math.floor(index / sensors) / rate);
    // Readings that catch up with the clock may fall into one tick of it; one time would make them one point.
    const nowNs = clock.nowNs();
    timeNs = nowNs > timeNs ? nowNs : timeNs + 1n;
    await publisher.publish(sensor.topic, `{${values},"time":${timeNs}}`, signal);
  }
  await publisher.drain(signal.aborted ? AbortSignal.timeout(drainTimeoutMs) : signal);
}

/** Sensors in order, each with its topic and its next values as the inside of a JSON object. */
export function createSensors({
  sensors,
  seed,
  metrics,
  prefix,
}: Pick<SimulateOptions, 'sensors' | 'seed' | 'metrics' | 'prefix'>) {
  return Array.from({ length: sensors }, (_, number) => {
    const sensor = `${prefix}-${number + 1}`;
    const models = metrics.map((metric) => ({
      key: JSON.stringify(metric.name),
      model: new MetricModel({ seed, sensor, metric }),
    }));
    return {
      topic: `sensors/${sensor}`,
      next: (elapsedS: number) => models.map(({ key, model }) => `${key}:${model.next(elapsedS)}`).join(','),
    };
  });
}

function describe(
  { published, acknowledged, reconnects, isConnected }: Publisher,
  elapsedMs: number,
): Snapshot {
  const ratePerS = Math.round((acknowledged / Math.max(elapsedMs, 1)) * 1000);
  const state = isConnected || acknowledged === published ? '' : ', reconnecting';
  return {
    text: `${published} readings published, ${acknowledged} acknowledged, ${ratePerS}/s${state}`,
    data: { published, acknowledged, reconnects, ratePerS, elapsedMs: Math.round(elapsedMs) },
  };
}
