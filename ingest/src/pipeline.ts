import {
  type Acceptor,
  type Clock,
  claimOf,
  fieldsOf,
  type Outcome,
  type ParsedPoint,
  type Point,
  READINGS,
  type Refusal,
  readingId,
  type Submission,
  type TidemarkError,
} from '@tidemark/core';
import type { Decoded, DraftReading, Fault, Limits } from './decoders/decoded.ts';
import { jsonOf } from './decoders/fields.ts';
import { decodeItems, decodeMetricMessage, decodeSensorMessage } from './decoders/json.ts';
import { decodeLines, lineOf } from './decoders/lines.ts';
import type { DeliveryMemory } from './delivery-memory.ts';
import type { IngestMetrics } from './metrics.ts';
import { placeLine } from './place-line.ts';
import type { Placement } from './placement.ts';
import { encodeRefusal } from './quarantine/refusal.ts';
import { encodePoints } from './spool/entry.ts';
import { type DeliveryStamp, type RecordStamps, recordKinds } from './spool/record.ts';
import type { Spool } from './spool/spool.ts';
import { type Stamper, stampAfter } from './stamper.ts';

interface PipelineOptions {
  spool: Spool;
  stamper: Stamper;
  deliveries: DeliveryMemory;
  placement: Placement;
  clock: Clock;
  metrics: IngestMetrics;
  limits: Limits & { maxFutureMs: number };
}

/** The acceptance path: decode ▶ stamp and validate ▶ place ▶ spool (append, fsync) ▶ answer. */
export class Pipeline implements Acceptor {
  readonly #options: PipelineOptions;
  readonly #maxFutureNs: bigint;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#maxFutureNs = BigInt(options.limits.maxFutureMs) * 1_000_000n;
  }

  accept(submission: Submission, done: (error?: TidemarkError) => void): Outcome {
    const refusal = this.#options.spool.refusal();
    if (refusal) {
      done(refusal);
      return nothingAccepted;
    }
    const decoded = this.#decode(submission);
    const nowNs = this.#options.clock.nowNs();
    const stamps = new MessageStamps(this.#options, submission, nowNs);
    const { points, faults } = this.#settle(decoded, stamps, nowNs + this.#maxFutureNs);
    this.#append(submission, points, faults, stamps, done);
    this.#options.metrics.count(submission.source, points.length, faults, stamps.areRepeated);
    return new SettledOutcome(points, faults);
  }

  #decode(submission: Submission): Decoded {
    const { limits } = this.#options;
    if (submission.source === 'http') return decodeItems(submission.items, limits);
    const claim = claimOf(submission.topic);
    const payload = asBuffer(submission.payload);
    switch (claim.kind) {
      case 'metric':
        return decodeMetricMessage(claim.sensor, claim.metric, payload, limits);
      case 'sensor':
        return decodeSensorMessage(claim.sensor, payload, limits);
      case 'lines':
        return decodeLines(payload, limits);
      default:
        throw new Error(`topic ${submission.topic} claims to hold no readings`);
    }
  }

  /** Fixes every time and place, once, and refuses times out of range and what the registry does not allow. */
  #settle(
    decoded: Decoded,
    stamps: MessageStamps,
    latestNs: bigint,
  ): { points: Point[]; faults: readonly Fault[] } {
    const { placement } = this.#options;
    const faults: Fault[] = [];
    const isInRange = (timeNs: bigint): boolean => timeNs >= 0n && timeNs <= latestNs;
    const settleReading = (draft: DraftReading): Point | undefined => {
      const known = placement.find(draft.sensor);
      const timeNs = draft.timeNs ?? stamps.next();
      if (draft.timeNs === undefined || isInRange(timeNs)) {
        const tags = placement.tagsFor(known, draft, timeNs, faults);
        return tags && { measurement: READINGS, tags, fields: fieldsOf(draft.values), timeNs };
      }
      const { index, sensor, raw } = draft;
      faults.push({ index, sensor, raw, ...outOfRange(timeNs) });
      return undefined;
    };
    const settleLine = (line: ParsedPoint, index: number): Point | undefined => {
      const timeNs = line.timeNs ?? stamps.next();
      const point = { ...line, timeNs };
      if (line.timeNs === undefined || isInRange(timeNs))
        return line.measurement === READINGS ? placeLine(placement, point, index, faults) : point;
      faults.push({ index, raw: lineOf(line), ...outOfRange(timeNs) });
      return undefined;
    };
    // A message holds readings or lines, never both.
    const isLines = decoded.points.length > 0;
    const all = isLines ? decoded.points.map(settleLine) : decoded.readings.map(settleReading);
    if (faults.length === 0) return { points: all as Point[], faults: decoded.faults };
    return { points: all.filter((point) => point !== undefined), faults: [...decoded.faults, ...faults] };
  }

  /** One record for the points, one for each refusal; the answer waits for the last. */
  #append(
    submission: Submission,
    points: readonly Point[],
    faults: readonly Fault[],
    stamps: MessageStamps,
    done: () => void,
  ): void {
    const { spool, placement } = this.#options;
    const { acceptedNs } = stamps;
    if (points.length === 0 && faults.length === 0) done();
    if (points.length > 0) {
      const payload = encodePoints(points, placement.keyOf);
      const whenDone = faults.length === 0 ? done : undefined;
      spool.append(recordKinds.points, acceptedNs, payload, points, whenDone, stamps);
    }
    if (faults.length === 0) return;
    const { source, topic } = submission;
    faults.forEach((fault, index) => {
      const refused = { ...fault, source, topic, timeNs: acceptedNs, payload: rawOf(submission, fault) };
      const isLast = index === faults.length - 1;
      spool.append(recordKinds.refusal, acceptedNs, encodeRefusal(refused), [], isLast ? done : undefined);
    });
  }
}

/** The stamps of one message's readings, in order, drawn only when one has no time of its own. */
class MessageStamps implements RecordStamps {
  areNew = false;
  delivery: DeliveryStamp | undefined;
  readonly #options: PipelineOptions;
  readonly #submission: Submission;
  readonly #nowNs: bigint;
  #lastNs: bigint | undefined;

  constructor(options: PipelineOptions, submission: Submission, nowNs: bigint) {
    this.#options = options;
    this.#submission = submission;
    this.#nowNs = nowNs;
  }

  /** True when the message came before, and its readings have the times they were given then. */
  get areRepeated(): boolean {
    return this.#lastNs !== undefined && !this.areNew;
  }

  get acceptedNs(): bigint {
    return this.areNew ? this.#lastNs! : this.#nowNs;
  }

  next(): bigint {
    if (this.#lastNs === undefined) this.#lastNs = this.#first();
    else if (this.areNew) this.#lastNs = this.#options.stamper.next(this.#nowNs);
    else this.#lastNs = stampAfter(this.#lastNs);
    return this.#lastNs;
  }

  #first(): bigint {
    const submission = this.#submission;
    if (submission.source === 'mqtt' && submission.delivery) {
      const { delivery, topic, payload } = submission;
      this.delivery = this.#options.deliveries.placeOf(delivery, topic, payload);
      if (this.delivery.firstNs >= 0n) return this.delivery.firstNs;
    }
    this.areNew = true;
    const firstNs = this.#options.stamper.next(this.#nowNs);
    if (this.delivery) this.delivery.firstNs = firstNs;
    return firstNs;
  }
}

/** Made out only when asked for: MQTT never does. */
class SettledOutcome implements Outcome {
  readonly #points: readonly Point[];
  readonly #faults: readonly Fault[];

  constructor(points: readonly Point[], faults: readonly Fault[]) {
    this.#points = points;
    this.#faults = faults;
  }

  get accepted(): number {
    return this.#points.length;
  }

  get rejected(): Refusal[] {
    return this.#faults.map(({ index, reason, detail }) => ({ index, code: reason, detail }));
  }

  get ids(): string[] {
    return this.#points.filter(({ measurement }) => measurement === READINGS).map(idOfPoint);
  }
}

function idOfPoint({ tags, timeNs }: Point): string {
  return readingId(tags.find(([key]) => key === 'sensor')?.[1] ?? '', timeNs);
}

const nothingAccepted: Outcome = { ids: [], accepted: 0, rejected: [] };

function outOfRange(timeNs: bigint): Pick<Fault, 'reason' | 'detail'> {
  const detail = timeNs < 0n ? 'the time is before 1970' : 'the time is too far in the future';
  return { reason: 'time_out_of_range', detail };
}

/** The bytes at fault: the part of the message, or the whole of it. */
function rawOf(submission: Submission, { raw }: Fault): Uint8Array {
  const text = typeof raw === 'string' ? raw : jsonOf(raw ?? null);
  const isWhole = raw === undefined || text === undefined;
  if (isWhole && submission.source === 'mqtt') return submission.payload;
  return Buffer.from(text ?? '');
}

function asBuffer(payload: Uint8Array): Buffer {
  return Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}
