import { Counter, Gauge, Histogram, type Registry } from '@tidemark/core';
import { type CursorName, cursorNames } from './cursors.ts';

/** What the spool tells Prometheus. */
export class SpoolMetrics {
  readonly appendedBytes: Counter;
  readonly commits: Counter;
  readonly failures: Counter;
  readonly refused: Counter;
  readonly fsyncSeconds: Histogram;
  readonly ackSeconds: Histogram;

  constructor(
    metrics: Registry,
    read: {
      usedBytes: () => number;
      backlogBytes: (name: CursorName) => number;
      backlogAgeMs: (name: CursorName) => Promise<number>;
    },
  ) {
    const registers = [metrics];
    this.appendedBytes = new Counter({
      name: 'tidemark_spool_appended_bytes_total',
      help: 'Bytes made durable',
      registers,
    });
    this.commits = new Counter({
      name: 'tidemark_spool_commits_total',
      help: 'Group commits (one fdatasync each)',
      registers,
    });
    this.failures = new Counter({
      name: 'tidemark_spool_write_failures_total',
      help: 'Writes or fsyncs that failed and were held',
      registers,
    });
    this.refused = new Counter({
      name: 'tidemark_spool_refused_total',
      help: 'Appends refused because too much waits for the disk',
      registers,
    });
    this.fsyncSeconds = new Histogram({
      name: 'tidemark_spool_fsync_duration_seconds',
      help: 'Time of one fdatasync',
      buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5],
      registers,
    });
    this.ackSeconds = new Histogram({
      name: 'tidemark_ingest_ack_duration_seconds',
      help: 'Longest time that a message of a group commit waited, from its arrival to its acknowledgement',
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
      registers,
    });
    new Gauge({
      name: 'tidemark_spool_size_bytes',
      help: 'Disk that the spool uses',
      registers,
      collect() {
        this.set(read.usedBytes());
      },
    });
    new Gauge({
      name: 'tidemark_spool_backlog_bytes',
      help: 'Bytes that a durable cursor has not passed',
      labelNames: ['cursor'],
      registers,
      collect() {
        for (const cursor of cursorNames) this.set({ cursor }, read.backlogBytes(cursor));
      },
    });
    new Gauge({
      name: 'tidemark_spool_backlog_age_seconds',
      help: 'How long ago the oldest entry was accepted that the reader behind a durable cursor has not dealt with',
      labelNames: ['cursor'],
      registers,
      async collect() {
        for (const cursor of cursorNames) this.set({ cursor }, (await read.backlogAgeMs(cursor)) / 1000);
      },
    });
  }
}
