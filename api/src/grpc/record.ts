import { type ServerDuplexStream, type ServiceError, status } from '@grpc/grpc-js';
import { type Acceptor, type Delivery, type QuarantineReason, type Refusal, submit } from '@tidemark/core';
import type { ApiParts } from '../parts.ts';
import { invalidFields } from '../problem.ts';
import { type Calls, send } from './calls.ts';
import type { Reading } from './generated/tidemark/v1/reading.ts';
import type {
  RecordRequest,
  RecordResponse,
  RecordStreamRequest,
  RecordStreamResponse,
  Rejection,
} from './generated/tidemark/v1/reading_service.ts';
import { toItem } from './reading-message.ts';
import { faultError } from './status.ts';

const topic = '/tidemark.v1.ReadingService/Record';
/** Requests of one stream that wait for the disk; then it is read no further. Some group commits' worth. */
const maxUnanswered = 64;

type RecordCall = ServerDuplexStream<RecordStreamRequest, RecordStreamResponse>;

/** What became of readings, once it is durable. */
interface Answer {
  ids: readonly string[];
  accepted: number;
  rejected: readonly Refusal[];
}

/** Answers with the reading's id once it is durable; throws a status that names the field when nothing was stored. */
export async function record(
  { acceptor }: ApiParts,
  { reading, idempotencyKey }: RecordRequest,
): Promise<RecordResponse> {
  if (reading === undefined) throw invalidFields([{ path: 'reading', message: 'is missing' }]);
  const { ids, rejected } = await take(acceptor, [reading], deliveryOf(idempotencyKey));
  const [id] = ids;
  if (id === undefined) throw refusalError(rejected);
  return { id, rejected: rejected.length === 0 ? none : rejected.map(toRejection) };
}

/**
 * Answers each request of a stream in order, once what was accepted of it is durable. Ends the stream with a status
 * behind the answers to what came before it.
 */
export function recordStream(parts: ApiParts, calls: Calls) {
  return (call: RecordCall): void => {
    try {
      calls.admit(call.metadata);
    } catch (error) {
      call.emit('error', calls.toError(error, call.getPath()));
      return;
    }
    new RecordStream(parts, call, (error) => calls.toError(error, call.getPath())).start();
  };
}

type ToError = (error: unknown) => ReturnType<Calls['toError']>;

class RecordStream {
  readonly #acceptor: Acceptor;
  readonly #maxReadings: number;
  readonly #call: RecordCall;
  readonly #toError: ToError;
  #sequence = 0n;
  #unanswered = 0;
  #hasFailed = false;
  #answered: Promise<void> = Promise.resolve();

  constructor({ acceptor, config }: ApiParts, call: RecordCall, toError: ToError) {
    this.#acceptor = acceptor;
    this.#maxReadings = config.ingest.maxReadingsPerMessage;
    this.#call = call;
    this.#toError = toError;
  }

  start(): void {
    const call = this.#call;
    call.on('data', (request: RecordStreamRequest) => this.#takeRequest(request));
    call.on('end', () => void this.#answered.then(() => this.#hasFailed || call.end()));
  }

  #takeRequest({ readings }: RecordStreamRequest): void {
    if (this.#hasFailed) return;
    this.#unanswered += 1;
    if (this.#unanswered >= maxUnanswered) this.#call.pause();
    this.#sequence += 1n;
    const sequence = this.#sequence;
    const taking = this.#take(readings);
    // Told below, in its turn.
    taking.catch(() => {});
    this.#answered = this.#answered.then(() => this.#answer(sequence, taking));
  }

  async #take(readings: readonly Reading[]): Promise<Answer> {
    if (readings.length <= this.#maxReadings) return take(this.#acceptor, readings, undefined);
    const message = `${readings.length} readings; the limit is ${this.#maxReadings}`;
    throw invalidFields([{ path: 'readings', message }]);
  }

  async #answer(sequence: bigint, taking: Promise<Answer>): Promise<void> {
    if (this.#hasFailed) return;
    try {
      const { accepted, ids, rejected } = await taking;
      await send(this.#call, { sequence, accepted, ids: [...ids], rejected: rejected.map(toRejection) });
    } catch (error) {
      this.#hasFailed = true;
      this.#call.emit('error', this.#toError(error));
    }
    this.#unanswered -= 1;
    if (this.#unanswered < maxUnanswered) this.#call.resume();
  }
}

async function take(
  acceptor: Acceptor,
  readings: readonly Reading[],
  delivery: Delivery | undefined,
): Promise<Answer> {
  if (readings.length === 0) return { ids: [], accepted: 0, rejected: [] };
  const given = readings.map(toItem);
  const items = given.map(({ item }) => item);
  const { ids, accepted, rejected } = await submit(acceptor, { source: 'grpc', topic, items, delivery });
  if (rejected.length === 0) return { ids, accepted, rejected };
  return {
    ids,
    accepted,
    rejected: rejected.map((refusal) => {
      const problem = given[refusal.index]?.problem;
      return problem === undefined ? refusal : { ...refusal, code: 'bad_metric' as const, detail: problem };
    }),
  };
}

function toRejection({ index, code, detail }: Refusal): Rejection {
  return { index, reason: code, detail };
}

const none: Rejection[] = [];

/** Codes of refusals that are not about the form of what was sent. */
const codeOf: Partial<Record<QuarantineReason, status>> = {
  unknown_sensor: status.NOT_FOUND,
  wrong_location: status.FAILED_PRECONDITION,
  type_conflict: status.FAILED_PRECONDITION,
  time_out_of_range: status.OUT_OF_RANGE,
  too_many_sensors: status.RESOURCE_EXHAUSTED,
  too_many_metrics: status.RESOURCE_EXHAUSTED,
  too_many_series: status.RESOURCE_EXHAUSTED,
};

const fieldOf: Partial<Record<QuarantineReason, string>> = {
  bad_sensor: 'reading.sensor',
  unknown_sensor: 'reading.sensor',
  too_many_sensors: 'reading.sensor',
  bad_location: 'reading.location',
  wrong_location: 'reading.location',
  bad_time: 'reading.time_ns',
  time_out_of_range: 'reading.time_ns',
};

function refusalError(rejected: readonly Refusal[]): ServiceError {
  const [first] = rejected;
  const reason = first?.code ?? 'empty';
  const message = rejected.map(({ detail }) => detail).join('; ');
  const issues = rejected.map(({ code, detail }) => ({
    path: fieldOf[code] ?? 'reading.values',
    message: detail,
  }));
  return faultError({ code: codeOf[reason] ?? status.INVALID_ARGUMENT, message, reason, issues });
}

function deliveryOf(key: string): Delivery | undefined {
  if (key === '') return undefined;
  if (/^[\x21-\x7e]{1,255}$/.test(key))
    return { clientId: `${topic} ${key}`, messageId: 0, isDuplicate: true };
  const message = 'must be 1 to 255 printable ASCII characters';
  throw invalidFields([{ path: 'idempotency_key', message }]);
}
