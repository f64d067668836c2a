import {
  type Acceptor,
  asBuffer,
  type Clock,
  fieldsOf,
  type Outcome,
  type Point,
  type PointColumns,
  READINGS,
  type Submission,
  TidemarkError,
  TRAVELLERS,
  tagOf,
} from '@tidemark/core';
import { AnswerOrder } from './answer-order.ts';
import type { ClockLimits } from './clock-limits.ts';
import {
  type Decoded,
  type DraftLine,
  type DraftPosition,
  type DraftReading,
  type Fault,
  type Limits,
  onlyFault,
} from './decoders/decoded.ts';
import { decodeItemMessage, decodeItems, decodeMetricMessage, decodeSensorMessage } from './decoders/json.ts';
import { decodeLines } from './decoders/lines.ts';
import { withOwnTimes } from './decoders/own-times.ts';
import { decodeRows } from './decoders/rows.ts';
import type { Sparkplug } from './decoders/sparkplug/sparkplug.ts';
import { decodeTcpLine } from './decoders/tcp-line.ts';
import { decodeTravellersMessage, positionOf, positionPoint } from './decoders/travellers.ts';
import type { DeliveryMemory } from './delivery-memory.ts';
import type { FieldPins } from './field-pins.ts';
import { type GivenFault, giveTimes, giveTimeToWhole, rawOf, stampsByIndex } from './given-faults.ts';
import type { Lateness } from './lateness.ts';
import type { Mappings } from './mappings/mappings.ts';
import { MessageStamps } from './message-stamps.ts';
import type { IngestMetrics } from './metrics.ts';
import { PendingOutcome } from './pending-outcome.ts';
import { placeLine } from './place-line.ts';
import type { KnownSensor, Placement } from './placement.ts';
import { PlainLines } from './plain-lines.ts';
import { encodeRefusal } from './quarantine/refusal.ts';
import { SettledOutcome } from './settled-outcome.ts';
import type { Done } from './spool/batch.ts';
import { encodeLines, encodePoints } from './spool/entry.ts';
import { type RecordKind, recordKinds } from './spool/record.ts';
import type { Spool } from './spool/spool.ts';
import type { Stamper } from './stamper.ts';

export interface PipelineOptions {
  spool: Pick<Spool, 'append' | 'follow' | 'refusal'>;
  stamper: Stamper;
  deliveries: DeliveryMemory;
  placement: Placement;
  sparkplug: Sparkplug;
  lateness: Pick<Lateness, 'isLate' | 'watermarkOf'>;
  clockLimits: ClockLimits;
  pins: Pick<FieldPins, 'isStrict' | 'pin' | 'problemOf' | 'typeOf'>;
  mappings: Pick<Mappings, 'claims' | 'decode'>;
  clock: Clock;
  metrics: IngestMetrics;
  limits: Limits;
}

/** What becomes of the parts of a message, in their order. */
interface Settled {
  points: readonly Point[];
  /** Those of the points that came late. */
  late: ReadonlySet<Point>;
  faults: readonly GivenFault[];
}

type LineSubmission = Submission & { source: 'line_protocol' };

/** A message while its parts are settled. */
interface Message {
  /** The bytes that lines stand in; those of the store were never a message. */
  payload: Uint8Array | undefined;
  /** True for line protocol by HTTP or TCP and for rows of a file: each one refused is told to its sender. */
  isAnswered: boolean;
  /** What its parts are called. */
  part: 'line' | 'row';
  stamps: MessageStamps;
  nowNs: bigint;
  faults: Fault[];
  late: Set<Point> | undefined;
}

/** The acceptance path: decode ▶ stamp and validate ▶ place ▶ spool (append, fsync) ▶ answer. */
export class Pipeline implements Acceptor {
  readonly #options: PipelineOptions;
  readonly #plainLines: PlainLines;
  readonly #answers = new AnswerOrder();

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#plainLines = new PlainLines({ ...options, maxFields: options.limits.maxFieldsPerReading });
  }

  accept(submission: Submission, done: (error?: TidemarkError) => void): Outcome {
    const refusal = this.#options.spool.refusal();
    if (refusal) {
      done(refusal);
      return nothingAccepted;
    }
    if (submission.source === 'line_protocol') {
      const points = this.#plainLines.read(submission, this.#options.clock.nowNs());
      if (points !== undefined) return this.#acceptLines(submission, points, done);
    }
    const answers = this.#answers;
    const decoded = this.#decode(submission);
    if (decoded instanceof Promise)
      return this.#acceptLater(decoded, submission, answers.begin(submission, done));
    return this.#take(decoded, submission, answers.isIdle ? done : answers.follow(submission, done));
  }

  /** A message that an expression reads, elsewhere: others go before it, and only its own sender waits. */
  #acceptLater(decoding: Promise<Decoded>, submission: Submission, done: Done): Outcome {
    const outcome = new PendingOutcome();
    decoding.then(
      (decoded) => {
        const refusal = this.#options.spool.refusal();
        if (refusal) done(refusal);
        else outcome.become(this.#take(decoded, submission, done));
      },
      (error: unknown) => {
        if (!(error instanceof TidemarkError)) throw error;
        done(error);
      },
    );
    return outcome;
  }

  #take(read: Decoded, submission: Submission, done: Done): Outcome {
    const decoded = this.#timed(read, submission);
    const nowNs = this.#options.clock.nowNs();
    const stamps = new MessageStamps(this.#options, submission, nowNs);
    const settled = this.#settle(decoded, submission, stamps, nowNs);
    const { points, faults } = settled;
    // What is refused again is in the quarantine already.
    const refused = submission.firstGivenNs === undefined ? faults : noFaults;
    this.#append(submission, settled, refused, stamps, done);
    this.#options.metrics.count(submission.source, points.length, refused, stamps.areRepeated);
    return new SettledOutcome(points, faults);
  }

  #acceptLines({ source, payload, unit }: LineSubmission, points: PointColumns, done: Done): Outcome {
    const { spool, clock, metrics } = this.#options;
    if (points.length === 0) done();
    else spool.append(recordKinds.lines, clock.nowNs(), encodeLines(payload, unit), points, done);
    metrics.count(source, points.length, noFaults, false);
    return { accepted: points.length, ids: [], rejected: [] };
  }

  /** Without the readings whose time nobody knows: those of a retained message would be stored anew at each connection. */
  #timed(decoded: Decoded, submission: Submission): Decoded {
    if (submission.source !== 'mqtt' || submission.isRetained !== true) return decoded;
    const { placement, metrics } = this.#options;
    const timed = withOwnTimes(decoded, (sensor) => placement.find(sensor)?.sensor.timeFrom === 'server');
    metrics.skippedRetained += partsOf(decoded) - partsOf(timed);
    return timed;
  }

  /** A promise for what an expression reads. */
  #decode(submission: Submission): Decoded | Promise<Decoded> {
    const { limits, mappings } = this.#options;
    if ('items' in submission) return decodeItems(submission.items, limits);
    const { maxReadingsPerMessage: maxLines, maxFieldsPerReading: maxFields } = limits;
    if (submission.source === 'line_protocol') {
      const { payload, unit, firstLine } = submission;
      return decodeLines(payload, { maxFields, unit, firstLine });
    }
    if (submission.source === 'tcp') return decodeTcpLine(submission, limits);
    if (submission.source === 'import') return decodeRows(submission.rows, maxFields);
    if (submission.source === 'store') {
      const lines = submission.points.map((point, index) => ({ index, start: 0, end: 0, point }));
      return { readings: [], lines, faults: noFaults };
    }
    const { problem } = submission;
    if (problem !== undefined) return onlyFault(problem.reason, problem.detail);
    const claim = mappings.claims.of(submission.topic);
    const payload = asBuffer(submission.payload);
    switch (claim.kind) {
      case 'metric':
        return decodeMetricMessage(claim.sensor, claim.metric, payload, limits);
      case 'sensor':
        return decodeSensorMessage(claim.sensor, payload, limits);
      case 'travellers':
        return decodeTravellersMessage(claim.sensor, payload, limits);
      case 'lines': {
        const decoded = decodeLines(payload, { maxLines, maxFields });
        const isEmpty = decoded.lines.length === 0 && decoded.faults.length === 0;
        return isEmpty ? onlyFault('empty', 'the message holds no line') : decoded;
      }
      case 'sparkplug':
        return this.#options.sparkplug.decode(claim, payload, submission.firstGivenNs === undefined);
      case 'mapped':
        return mappings.decode(claim, submission.topic, payload);
      default:
        if (submission.source === 'kafka') return decodeItemMessage(payload, limits);
        throw new Error(`topic ${submission.topic} claims to hold no readings`);
    }
  }

  /** Fixes every time and place, once, and refuses times out of range and what the registry does not allow. */
  #settle(decoded: Decoded, submission: Submission, stamps: MessageStamps, nowNs: bigint): Settled {
    const payload = 'payload' in submission ? submission.payload : undefined;
    const isImport = submission.source === 'import';
    const message: Message = {
      payload,
      isAnswered: isImport || submission.source === 'line_protocol' || submission.source === 'tcp',
      part: isImport ? 'row' : 'line',
      stamps,
      nowNs,
      faults: [],
      late: undefined,
    };
    // A message holds readings, lines or positions, never two of them.
    const isLines = decoded.lines.length > 0;
    const { positions } = decoded;
    const all = isLines
      ? decoded.lines.map((draft) => this.#settleLine(draft, message))
      : (positions?.map((draft) => this.#settlePosition(draft, message)) ??
        decoded.readings.map((draft) => this.#settleReading(draft, message)));
    const { faults, late = noneLate } = message;
    if (faults.length === 0 && decoded.faults.length === 0)
      return { points: all as Point[], late, faults: noFaults };
    const together = [...decoded.faults, ...faults];
    return {
      points: all.filter((point) => point !== undefined),
      late,
      faults: decoded.isWhole
        ? giveTimeToWhole(together, stamps)
        : giveTimes(together, stampsByIndex(positions ?? decoded.readings, all), stamps),
    };
  }

  /** Its speed follows behind the log, from its neighbours in the store. */
  #settlePosition(draft: DraftPosition, message: Message): Point | undefined {
    const { placement } = this.#options;
    const { index, sensor, raw } = draft;
    const known = placement.find(sensor);
    const timeNs = this.#timeOf(draft.timeNs, known, message.stamps);
    const problem = timeNs === draft.timeNs ? this.#timeProblem(timeNs, message.nowNs) : undefined;
    if (problem) {
      message.faults.push({ index, sensor, raw, ...problem });
      return undefined;
    }
    const tags = placement.travellerTagsFor(known, draft, message.faults);
    return tags && positionPoint(draft, tags, timeNs);
  }

  #settleReading(draft: DraftReading, message: Message): Point | undefined {
    const { placement } = this.#options;
    const { index, sensor, raw } = draft;
    const known = placement.find(sensor);
    const timeNs = this.#timeOf(draft.timeNs, known, message.stamps);
    const problem = timeNs === draft.timeNs ? this.#timeProblem(timeNs, message.nowNs) : undefined;
    if (problem) {
      message.faults.push({ index, sensor, raw, ...problem });
      return undefined;
    }
    const tags = placement.tagsFor(known, draft, timeNs, message.faults);
    if (tags === undefined) return undefined;
    const point = { measurement: READINGS, tags, fields: fieldsOf(draft.values), timeNs };
    this.#noteLate(known ?? placement.find(sensor), point, message);
    return point;
  }

  #settleLine(draft: DraftLine, message: Message): Point | undefined {
    const { index, point: line } = draft;
    const { placement } = this.#options;
    const sensor = line.measurement === READINGS ? tagOf(line.tags, 'sensor') : undefined;
    const known = sensor === undefined ? undefined : placement.find(sensor);
    const timeNs = this.#timeOf(line.timeNs, known, message.stamps);
    const problem = timeNs === line.timeNs ? this.#timeProblem(timeNs, message.nowNs) : undefined;
    if (problem) {
      const { reason, detail } = problem;
      const raw = bytesOf(draft, message);
      message.faults.push({ index, raw, reason, detail: `${message.part} ${index + 1}: ${detail}` });
      return undefined;
    }
    const point = { ...line, timeNs };
    if (line.measurement === TRAVELLERS) return this.#settleTravellerLine(point, draft, message);
    if (line.measurement !== READINGS) return this.#hasItsTypes(point, draft, message) ? point : undefined;
    const raw = bytesOf(draft, message);
    const placed = placeLine(placement, point, { index, raw }, message.faults);
    if (placed && sensor !== undefined) this.#noteLate(known ?? placement.find(sensor), placed, message);
    return placed;
  }

  #settleTravellerLine(point: Point, draft: DraftLine, message: Message): Point | undefined {
    const { index } = draft;
    const raw = bytesOf(draft, message);
    const position = positionOf(point);
    if (typeof position === 'string') {
      message.faults.push({
        index,
        raw,
        reason: 'bad_traveller',
        detail: `${message.part} ${index + 1}: ${position}`,
      });
      return undefined;
    }
    const { placement } = this.#options;
    const known = placement.find(position.sensor);
    const tags = placement.travellerTagsFor(known, { ...position, index, raw }, message.faults);
    return tags && positionPoint(position, tags, point.timeNs);
  }

  /** Whether line protocol that somebody waits for an answer to has the types of its fields; else it is refused. */
  #hasItsTypes(point: Point, draft: DraftLine, message: Message): boolean {
    const problem = message.isAnswered ? this.#options.pins.problemOf(point) : undefined;
    if (problem === undefined) return true;
    const { index } = draft;
    const detail = `${message.part} ${index + 1}: ${problem}`;
    message.faults.push({ index, raw: bytesOf(draft, message), reason: 'type_conflict', detail });
    return false;
  }

  /** The time that a reading brings; a stamp when it brings none, or when its sensor's clock is not trusted. */
  #timeOf(broughtNs: bigint | undefined, known: KnownSensor | undefined, stamps: MessageStamps): bigint {
    if (broughtNs === undefined) return stamps.next();
    if (known?.sensor.timeFrom !== 'server' || stamps.areFixed) return broughtNs;
    this.#options.metrics.serverTimedPoints++;
    return stamps.next();
  }

  #timeProblem(timeNs: bigint, nowNs: bigint): Pick<Fault, 'reason' | 'detail'> | undefined {
    const detail = this.#options.clockLimits.problemOf(timeNs, nowNs);
    return detail === undefined ? undefined : { reason: 'time_out_of_range', detail };
  }

  #noteLate(known: KnownSensor | undefined, point: Point, message: Message): void {
    if (known === undefined) return;
    const { lateness } = this.#options;
    known.watermark ??= lateness.watermarkOf(known.sensor.id);
    if (lateness.isLate(known.watermark, point.timeNs, message.nowNs))
      message.late = (message.late ?? new Set()).add(point);
  }

  /** One record for the points, one for those that came late, one for each refusal; the answer waits for the last. */
  #append(
    submission: Submission,
    { points, late }: Settled,
    faults: readonly GivenFault[],
    stamps: MessageStamps,
    done: Done,
  ): void {
    if (points.length === 0 && faults.length === 0) this.#options.spool.follow(done);
    const { points: onTime, latePoints } = recordKinds;
    const whenDone = faults.length === 0 ? done : undefined;
    if (late.size === 0) {
      this.#appendPoints(onTime, points, stamps, whenDone);
    } else {
      // Of two points with one identity the later stays the later: once late, a time is late for good.
      const timely = points.filter((point) => !late.has(point));
      this.#appendPoints(onTime, timely, stamps, undefined);
      this.#appendPoints(latePoints, [...late], stamps, whenDone);
      this.#options.metrics.latePoints += late.size;
    }
    if (faults.length > 0) this.#appendRefusals(submission, faults, stamps, done);
  }

  #appendPoints(kind: RecordKind, points: readonly Point[], stamps: MessageStamps, done?: Done): void {
    if (points.length === 0) return;
    const { spool, placement } = this.#options;
    spool.append(kind, stamps.acceptedNs, encodePoints(points, placement.keyOf), points, done, stamps);
  }

  #appendRefusals(
    submission: Submission,
    faults: readonly GivenFault[],
    stamps: MessageStamps,
    done: Done,
  ): void {
    const { spool } = this.#options;
    const { source, topic } = submission;
    const { acceptedNs } = stamps;
    faults.forEach((fault, index) => {
      const refused = { ...fault, source, topic, payload: rawOf(submission, fault) };
      const whenDone = index === faults.length - 1 ? done : undefined;
      spool.append(recordKinds.refusal, acceptedNs, encodeRefusal(refused), [], whenDone, stamps);
    });
  }
}

/** What a line was sent as; undefined of a row, and of what comes from the store. */
function bytesOf({ start, end }: DraftLine, { payload }: Message): Uint8Array | undefined {
  return payload?.subarray(start, end);
}

function partsOf({ readings, lines, positions = [] }: Decoded): number {
  return readings.length + lines.length + positions.length;
}

const noneLate: ReadonlySet<Point> = new Set();
const nothingAccepted: Outcome = { ids: [], accepted: 0, rejected: [] };
const noFaults: readonly GivenFault[] = [];
