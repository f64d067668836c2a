import { formatTime, idProblem, parseReadingId, systemClock, TidemarkError } from '@tidemark/core';
import { ask } from './ask.ts';
import { type ConnectionOptions, httpConnection } from './connection.ts';
import { type OutputOptions, printJson } from './progress.ts';
import { MetricModel, type MetricSpec } from './sensor-model.ts';
import { toTable } from './table.ts';

/** As many as the platform takes in one piece, however it is set up. */
const BATCH_READINGS = 100;

export interface SendOptions extends ConnectionOptions, OutputOptions {
  count: number;
  sensors: number;
  location?: string;
  seed?: number;
  metrics: MetricSpec[];
  prefix: string;
}

interface Sent {
  ids: string[];
  rejected: { detail: string }[];
}

/** Sends random readings over HTTP, and prints each once it is durable. */
export async function send(options: SendOptions): Promise<void> {
  const problem = idProblem(`${options.prefix}-${options.sensors}`);
  if (problem !== undefined)
    throw new TidemarkError('bad_request', `--prefix makes no sensor id: it ${problem}`);
  const connection = httpConnection(options);
  const readings = randomReadings(options);
  for (let start = 0; start < readings.length; start += BATCH_READINGS) {
    const batch = readings.slice(start, start + BATCH_READINGS);
    const answer = await ask(connection, { method: 'POST', path: 'readings', body: batch });
    print(batch, JSON.parse(answer) as Sent, options);
  }
}

function print(batch: readonly object[], { ids, rejected }: Sent, options: OutputOptions): void {
  const [first] = rejected;
  if (first !== undefined) {
    const message = `something was refused, and is in the quarantine: ${first.detail}`;
    throw new TidemarkError('bad_request', message);
  }
  if (options.quiet) return;
  const sent = batch.map((reading, index) => {
    const id = ids[index]!;
    return { id, time: formatTime(parseReadingId(id)!.timeNs), ...reading };
  });
  if (options.json) for (const reading of sent) printJson(reading);
  else process.stdout.write(toTable(sent));
}

/** Readings of sensors in turns, whose values wander as those of a day do. */
function randomReadings({ count, sensors, seed, metrics, prefix, location }: SendOptions): object[] {
  const ownSeed = seed ?? Number(systemClock.nowNs() % 4_294_967_296n);
  const models = Array.from({ length: sensors }, (_, number) => {
    const sensor = `${prefix}-${number + 1}`;
    return {
      sensor,
      metrics: metrics.map((metric) => ({
        name: metric.name,
        model: new MetricModel({ seed: ownSeed, sensor, metric }),
      })),
    };
  });
  return Array.from({ length: count }, (_, index) => {
    const { sensor, metrics: own } = models[index % sensors]!;
    const values = own.map(({ name, model }) => [name, model.next(index)] as const);
    return { sensor, ...(location !== undefined && { location }), ...Object.fromEntries(values) };
  });
}
