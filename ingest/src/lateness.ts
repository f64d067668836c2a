import { READINGS, tagOf } from '@tidemark/core';
import { decodePoints } from './spool/entry.ts';
import { type DecodedRecord, recordKinds } from './spool/record.ts';

/** Sensors whose watermarks are kept, as many as may be registered unless set otherwise; cleared when full. */
const MAX_SENSORS = 1_000_000;

/** How far a sensor has come: its watermark. */
export interface Watermark {
  /** The newest time of its readings; never ahead of the server's clock. */
  newestNs: bigint;
}

/**
 * Tells which readings come late: behind the watermark of their sensor by more than the allowed lateness. The
 * watermark is each sensor's own, since their delays and clocks have nothing to do with each other: with one for
 * all, the fastest device would make every other one late. It only marks and counts; nothing waits for it.
 */
export class Lateness {
  readonly #allowedNs: bigint;
  readonly #watermarks = new Map<string, Watermark>();

  constructor({ allowedMs }: { allowedMs: number }) {
    this.#allowedNs = BigInt(allowedMs) * 1_000_000n;
  }

  /** The sensor's watermark; whoever asks for each of its readings keeps it. */
  watermarkOf(sensor: string): Watermark {
    const known = this.#watermarks.get(sensor);
    if (known) return known;
    if (this.#watermarks.size >= MAX_SENSORS) this.#watermarks.clear();
    const watermark = { newestNs: 0n };
    this.#watermarks.set(sensor, watermark);
    return watermark;
  }

  /** Takes up what the log says; the oldest record comes first. */
  recall({ kind, acceptedNs, payload }: Pick<DecodedRecord, 'kind' | 'acceptedNs' | 'payload'>): void {
    // Late points move nothing.
    if (kind !== recordKinds.points) return;
    for (const { sensor, timeNs } of readingsIn(payload.toString('utf8')))
      this.isLate(this.watermarkOf(sensor), timeNs, acceptedNs);
  }

  /** Whether a reading that is accepted now comes late; moves the watermark of its sensor on. */
  isLate(watermark: Watermark, timeNs: bigint, nowNs: bigint): boolean {
    // One reading from the future would make all that follow late, and so would a clock that was set back.
    if (watermark.newestNs > nowNs) watermark.newestNs = nowNs;
    if (timeNs < watermark.newestNs) return watermark.newestNs - timeNs > this.#allowedNs;
    watermark.newestNs = timeNs > nowNs ? nowNs : timeNs;
    return false;
  }
}

/** Sensors and times of the readings in a record's text. */
function readingsIn(text: string): { sensor: string; timeNs: bigint }[] {
  // Most records are one reading and no name in it is escaped: that is read in a tenth of the time.
  const isPlain = !text.includes('\n') && !text.includes('\\');
  if (isPlain) {
    const [measurement, ...tags] = text.slice(0, text.indexOf(' ')).split(',');
    const sensor = tags.find((tag) => tag.startsWith('sensor='));
    if (measurement !== READINGS || sensor === undefined) return [];
    return [
      { sensor: sensor.slice('sensor='.length), timeNs: BigInt(text.slice(text.lastIndexOf(' ') + 1)) },
    ];
  }
  return (decodePoints(recordKinds.points, text) ?? []).flatMap(({ measurement, tags, timeNs }) => {
    const sensor = measurement === READINGS ? tagOf(tags, 'sensor') : undefined;
    return sensor === undefined ? [] : [{ sensor, timeNs }];
  });
}
