import { READINGS, tagOf } from '@tidemark/core';
import { decodePoints } from './spool/entry.ts';
import { type DecodedRecord, recordKinds } from './spool/record.ts';

/** Sensors whose watermarks are kept, as many as may be registered unless set otherwise; cleared when full. */
const MAX_SENSORS = 1_000_000;
const READINGS_HEAD = `${READINGS},`;
const SENSOR_TAG = ',sensor=';

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
    eachReading(payload, (sensor, timeNs) => {
      this.isLate(this.watermarkOf(sensor), timeNs, acceptedNs);
    });
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

/** Calls for each reading in a record's text, in its order. */
function eachReading(payload: Buffer, tell: (sensor: string, timeNs: bigint) => void): void {
  const text = payload.toString('utf8');
  // In most records no name is escaped and no value is text, so that each line is a point: read in a tenth of the time.
  if (!text.includes('\\') && !text.includes('"')) {
    for (let start = 0; start < text.length; ) {
      const newline = text.indexOf('\n', start);
      const end = newline === -1 ? text.length : newline;
      const head = text.slice(start, text.indexOf(' ', start));
      const sensor = head.startsWith(READINGS_HEAD) ? sensorIn(head) : undefined;
      if (sensor !== undefined) tell(sensor, BigInt(text.slice(text.lastIndexOf(' ', end) + 1, end)));
      start = end + 1;
    }
    return;
  }
  const points = decodePoints(recordKinds.points, payload);
  for (let index = 0; index < (points?.length ?? 0); index++) {
    const isReading = points!.measurementOf(index) === READINGS;
    const sensor = isReading ? tagOf(points!.tagsOf(index), 'sensor') : undefined;
    if (sensor !== undefined) tell(sensor, points!.times.at(index));
  }
}

/** The tag of a plain line's measurement and tags. */
function sensorIn(head: string): string | undefined {
  const tag = head.indexOf(SENSOR_TAG);
  if (tag === -1) return undefined;
  const next = head.indexOf(',', tag + SENSOR_TAG.length);
  return head.slice(tag + SENSOR_TAG.length, next === -1 ? head.length : next);
}
