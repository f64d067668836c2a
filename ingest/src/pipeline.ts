import {
  type Acceptor,
  type Clock,
  claimOf,
  encodeSeriesKey,
  type Outcome,
  type Point,
  type Refusal,
  readingId,
  readingToPoint,
  type Submission,
  stringifyJson,
  type Tag,
  type TidemarkError,
} from '@tidemark/core';
import type { Decoded, DraftReading, Fault, Limits } from './decoders/decoded.ts';
import { decodeItems, decodeMetricMessage, decodeSensorMessage } from './decoders/json.ts';
import { decodeLines } from './decoders/lines.ts';
import type { IngestMetrics } from './metrics.ts';
import { encodeRefusal } from './quarantine/refusal.ts';
import { encodePoints, type NewEntry } from './spool/entry.ts';
import { recordKinds } from './spool/record.ts';
import type { Spool } from './spool/spool.ts';
import type { Stamper } from './stamper.ts';

/** Series whose tags and key are remembered; cleared when full. */
const MAX_KNOWN_SERIES = 200_000;

interface PipelineOptions {
  spool: Spool;
  stamper: Stamper;
  clock: Clock;
  metrics: IngestMetrics;
  limits: Limits & { maxFutureMs: number };
}

type Done = (error: TidemarkError | undefined, outcome: Outcome) => void;

/** What a message came to, before it is durable. */
interface Verdict {
  points: Point[];
  readings: DraftReading[];
  faults: Fault[];
  acceptedNs: bigint;
}

/** The acceptance path: decode ▶ stamp and validate ▶ spool (append, fsync) ▶ answer. */
export class Pipeline implements Acceptor {
  readonly #options: PipelineOptions;
  readonly #maxFutureNs: bigint;
  readonly #series = new Map<string, { tags: readonly Tag[]; key: string }>();
  readonly #keyOfTags = new WeakMap<readonly Tag[], string>();

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#maxFutureNs = BigInt(options.limits.maxFutureMs) * 1_000_000n;
  }

  accept(submission: Submission, done: Done): void {
    const verdict = this.#settle(submission, this.#decode(submission));
    const outcome = new AcceptedOutcome(verdict);
    this.#options.spool.append(this.#toEntries(submission, verdict), (error) => {
      if (!error) this.#options.metrics.count(submission.source, verdict);
      done(error, error ? nothingAccepted : outcome);
    });
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

  /** Fixes every time, once, and refuses those out of range. */
  #settle(submission: Submission, { readings, points, faults }: Decoded): Verdict {
    const nowNs = this.#options.clock.nowNs();
    const verdict: Verdict = { points: [], readings: [], faults, acceptedNs: nowNs };
    const latestNs = nowNs + this.#maxFutureNs;
    const stamps = new MessageStamps(this.#options.stamper, submission);
    for (const draft of readings) {
      const timeNs = draft.timeNs ?? stamps.next();
      if (timeNs < 0n || timeNs > latestNs) {
        faults.push(outOfRange(draft.index, timeNs, draft.sensor, draft.raw));
      } else {
        draft.timeNs = timeNs;
        verdict.readings.push(draft);
        verdict.points.push(this.#toPoint(draft, timeNs));
      }
    }
    for (const [index, point] of points.entries()) {
      const timeNs = point.timeNs ?? stamps.next();
      if (timeNs < 0n || timeNs > latestNs)
        faults.push(outOfRange(index, timeNs, undefined, point.measurement));
      else verdict.points.push({ ...point, timeNs });
    }
    if (stamps.lastNs !== undefined) verdict.acceptedNs = stamps.lastNs;
    return verdict;
  }

  /** Points of one sensor share their tags array, so that whoever comes later can know the series by it. */
  #toPoint(draft: DraftReading, timeNs: bigint): Point {
    const point = readingToPoint({ ...draft, timeNs });
    const seriesName = draft.location === undefined ? draft.sensor : `${draft.sensor}/${draft.location}`;
    const known = this.#series.get(seriesName);
    if (known) {
      point.tags = known.tags;
      return point;
    }
    if (this.#series.size >= MAX_KNOWN_SERIES) this.#series.clear();
    // Frozen, it may stand for its series wherever the point goes.
    Object.freeze(point.tags);
    const key = encodeSeriesKey(point.measurement, point.tags);
    this.#series.set(seriesName, { tags: point.tags, key });
    this.#keyOfTags.set(point.tags, key);
    return point;
  }

  #toEntries(submission: Submission, { points, faults, acceptedNs }: Verdict): NewEntry[] {
    const entries: NewEntry[] = [];
    if (points.length > 0) {
      const payload = encodePoints(
        points,
        (point) => this.#keyOfTags.get(point.tags) ?? encodeSeriesKey(point.measurement, point.tags),
      );
      entries.push({ kind: recordKinds.points, acceptedNs, payload, points });
    }
    for (const fault of faults) {
      const payload = encodeRefusal({
        ...fault,
        source: submission.source,
        topic: submission.topic,
        timeNs: acceptedNs,
        payload: rawOf(submission, fault),
      });
      entries.push({ kind: recordKinds.refusal, acceptedNs, payload, points: [] });
    }
    return entries;
  }
}

/** The stamps of one message's readings, in order, drawn only when one has no time of its own. */
class MessageStamps {
  lastNs: bigint | undefined;
  readonly #stamper: Stamper;
  readonly #submission: Submission;

  constructor(stamper: Stamper, submission: Submission) {
    this.#stamper = stamper;
    this.#submission = submission;
  }

  next(): bigint {
    this.lastNs = this.lastNs === undefined ? this.#first() : this.#stamper.following(this.lastNs);
    return this.lastNs;
  }

  #first(): bigint {
    const submission = this.#submission;
    if (submission.source !== 'mqtt') return this.#stamper.first(submission.topic, noPayload, undefined);
    return this.#stamper.first(submission.topic, submission.payload, submission.delivery);
  }
}

/** Made out only when asked for: MQTT never does. */
class AcceptedOutcome implements Outcome {
  readonly #verdict: Verdict;

  constructor(verdict: Verdict) {
    this.#verdict = verdict;
  }

  get accepted(): number {
    return this.#verdict.points.length;
  }

  get rejected(): Refusal[] {
    return this.#verdict.faults.map(({ index, reason, detail }) => ({ index, code: reason, detail }));
  }

  get ids(): string[] {
    return this.#verdict.readings.map(({ sensor, timeNs }) => readingId(sensor, timeNs!));
  }
}

const nothingAccepted: Outcome = { ids: [], accepted: 0, rejected: [] };
const noPayload = new Uint8Array(0);

function outOfRange(index: number, timeNs: bigint, sensor: string | undefined, raw: unknown): Fault {
  const detail = timeNs < 0n ? 'the time is before 1970' : 'the time is too far in the future';
  return { index, reason: 'time_out_of_range', detail, sensor, raw };
}

/** The bytes at fault: the part of the message, or the whole of it. */
function rawOf(submission: Submission, { raw }: Fault): Uint8Array {
  if (raw === undefined && submission.source === 'mqtt') return submission.payload;
  return Buffer.from(typeof raw === 'string' ? raw : stringifyJson(raw ?? null));
}

function asBuffer(payload: Uint8Array): Buffer {
  return Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}
