import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { idProblem, TidemarkError } from '@tidemark/core';
import { type ConnectionOptions, mqttConnection } from './connection.ts';
import { untilInterrupted } from './interrupt.ts';
import { Pace } from './pace.ts';
import {
  type OutputOptions,
  printJson,
  printNotice,
  printResult,
  type Snapshot,
  withProgress,
} from './progress.ts';
import { Publisher } from './publisher.ts';
import { type RecordedRow, Recording, type RowFault } from './recording.ts';

const drainTimeoutMs = 3000;
/** Faults told one by one; the rest are counted only. */
const maxToldFaults = 20;

export interface ReplayOptions extends ConnectionOptions, OutputOptions {
  sensor?: string;
  metric?: string;
  /** Header of the time column. */
  time?: string;
  /** Times as fast as the recording; Infinity as fast as possible. */
  speed: number;
  qos: 0 | 1 | 2;
  inFlight: number;
}

interface ReplayCounts {
  rows: number;
  published: number;
  acknowledged: number;
  /** Rows of which nothing was published. */
  skipped: number;
  /** Faults of rows and of single values, by reason. */
  faults: Partial<Record<RowFault['reason'], number>>;
  reconnects: number;
  elapsedMs: number;
}

/**
 * Publishes the rows of a CSV recording as readings of one sensor, at least once each, and reports what became
 * of them. Throws when the file holds nothing to publish, or when it was interrupted.
 */
export async function replay(file: string, options: ReplayOptions): Promise<ReplayCounts> {
  const name = basename(file, extname(file));
  const { sensor = name, metric = name } = options;
  checkId('sensor', sensor);
  checkId('metric', metric);
  const { size } = await stat(file);
  const recording = new Recording({ file, timeColumn: options.time, metric });
  const publisher = new Publisher({
    connection: mqttConnection(options),
    qos: options.qos,
    maxInFlight: options.inFlight,
    onConnectionLost: () => printNotice(options, 'connection lost, reconnecting'),
  });
  const run = new ReplayRun({ recording, publisher, options, topic: `sensors/${sensor}`, sizeBytes: size });
  return untilInterrupted((signal) => run.run(file, signal));
}

interface ReplayRunParts {
  recording: Recording;
  publisher: Publisher;
  options: ReplayOptions;
  topic: string;
  sizeBytes: number;
}

class ReplayRun {
  readonly #parts: ReplayRunParts;
  readonly #startedMs = performance.now();
  readonly #faults: ReplayCounts['faults'] = {};
  #rows = 0;
  #skipped = 0;
  #told = 0;

  constructor(parts: ReplayRunParts) {
    this.#parts = parts;
  }

  async run(file: string, signal: AbortSignal): Promise<ReplayCounts> {
    const { publisher, recording, options } = this.#parts;
    await publisher.start();
    try {
      await withProgress({
        title: basename(file),
        output: options,
        snapshot: () => this.#progress(),
        run: () => this.#publishRows(signal),
      });
    } finally {
      await publisher.stop();
    }
    const counts = this.#counts();
    printResult(options, summary(file, counts, recording.ignored));
    if (signal.aborted) throw new TidemarkError('unavailable', 'interrupted before the end of the recording');
    if (counts.published === 0)
      throw new TidemarkError('bad_request', `${file} holds no row that can be published`);
    return counts;
  }

  async #publishRows(signal: AbortSignal): Promise<void> {
    const { recording, publisher, topic, options } = this.#parts;
    const pace = new Pace(options.speed);
    for await (const row of recording.rows()) {
      if (signal.aborted) break;
      this.#rows += 1;
      for (const fault of row.faults) this.#note(row, fault);
      if (row.payload === undefined) {
        this.#skipped += 1;
        continue;
      }
      await pace.until(row.timeNs, signal);
      if (signal.aborted) break;
      await publisher.publish(topic, row.payload, signal);
    }
    await publisher.drain(signal.aborted ? AbortSignal.timeout(drainTimeoutMs) : signal);
  }

  #note({ line }: RecordedRow, { reason, detail }: RowFault): void {
    this.#faults[reason] = (this.#faults[reason] ?? 0) + 1;
    if (this.#parts.options.quiet || this.#told > maxToldFaults) return;
    this.#told += 1;
    if (this.#told > maxToldFaults) {
      process.stderr.write('further faults are counted only\n');
    } else if (this.#parts.options.json) {
      printJson({ event: 'fault', line, reason, detail });
    } else {
      process.stderr.write(`line ${line}: ${reason}: ${detail}\n`);
    }
  }

  #counts(): ReplayCounts {
    const { published, acknowledged, reconnects } = this.#parts.publisher;
    return {
      rows: this.#rows,
      published,
      acknowledged,
      skipped: this.#skipped,
      faults: this.#faults,
      reconnects,
      elapsedMs: Math.round(performance.now() - this.#startedMs),
    };
  }

  #progress(): Snapshot {
    const { recording, publisher, sizeBytes } = this.#parts;
    const counts = this.#counts();
    const share = sizeBytes === 0 ? 1 : recording.bytesRead / sizeBytes;
    const rate = rateOf(counts);
    const etaS = share > 0 ? Math.round((counts.elapsedMs / 1000) * (1 / share - 1)) : undefined;
    const state = publisher.isConnected ? '' : ', reconnecting';
    return {
      text:
        `${counts.acknowledged} of ${counts.rows} rows acknowledged, ${Math.floor(share * 100)} %, ` +
        `${rate}/s, ${etaS === undefined ? '' : `${etaS} s left`}${state}`,
      data: { ...counts, percent: Math.round(share * 1000) / 10, ratePerS: rate, etaS: etaS ?? null },
    };
  }
}

function summary(file: string, counts: ReplayCounts, ignored: readonly string[]): Snapshot {
  const faults = Object.entries(counts.faults).map(([reason, count]) => `${count} ${reason}`);
  const notes = [
    ...(faults.length > 0 ? [`faults: ${faults.join(', ')}`] : []),
    ...(ignored.length > 0 ? [`ignored: ${ignored.join(', ')}`] : []),
  ];
  const text =
    `${basename(file)}: ${counts.rows} rows read, ${counts.published} published, ` +
    `${counts.acknowledged} acknowledged, ${counts.skipped} skipped ` +
    `in ${(counts.elapsedMs / 1000).toFixed(1)} s (${rateOf(counts)}/s)`;
  return { text: [text, ...notes].join('\n'), data: { file, ...counts, ignored } };
}

function rateOf({ acknowledged, elapsedMs }: ReplayCounts): number {
  return elapsedMs === 0 ? 0 : Math.round((acknowledged / elapsedMs) * 1000);
}

function checkId(option: string, id: string): void {
  const problem = idProblem(id);
  if (problem !== undefined) {
    throw new TidemarkError('bad_request', `"${id}" is no id: it ${problem}; give another with --${option}`);
  }
}
