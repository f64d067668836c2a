import type { Submission } from '@tidemark/core';
import { jsonOf } from './decoders/fields.ts';
import type { DeliveryMemory } from './delivery-memory.ts';
import type { DeliveryStamp, RecordStamps } from './spool/record.ts';
import { type Stamper, stampAfter } from './stamper.ts';

interface StampSources {
  stamper: Stamper;
  deliveries: DeliveryMemory;
}

/** The stamps of one message's readings, in order, drawn only when one has no time of its own. */
export class MessageStamps implements RecordStamps {
  areNew = false;
  delivery: DeliveryStamp | undefined;
  readonly #options: StampSources;
  readonly #submission: Submission;
  readonly #nowNs: bigint;
  #firstNs: bigint | undefined;
  #lastNs: bigint | undefined;
  /** True when the source says which time it is: whether the message came before is not known then. */
  #isGiven = false;

  constructor(options: StampSources, submission: Submission, nowNs: bigint) {
    this.#options = options;
    this.#submission = submission;
    this.#nowNs = nowNs;
  }

  /** True when the message came before, and its readings have the times they were given then. */
  get areRepeated(): boolean {
    const isKnown = this.#lastNs !== undefined && !this.areNew && !this.#isGiven;
    return isKnown && this.#submission.firstGivenNs === undefined;
  }

  /** True for points that were accepted before, here or elsewhere, with the times that they have. */
  get areFixed(): boolean {
    return this.#submission.source === 'store' || this.#submission.source === 'import';
  }

  get acceptedNs(): bigint {
    return this.areNew ? this.#lastNs! : this.#nowNs;
  }

  /** The first stamp of the message, given before or now. */
  get first(): bigint {
    return this.#firstNs ?? this.next();
  }

  next(): bigint {
    if (this.#lastNs === undefined) this.#lastNs = this.#firstNs = this.#first();
    else if (this.areNew) this.#lastNs = this.#options.stamper.next(this.#nowNs);
    else this.#lastNs = stampAfter(this.#lastNs);
    return this.#lastNs;
  }

  #first(): bigint {
    const submission = this.#submission;
    if (submission.firstGivenNs !== undefined) return submission.firstGivenNs;
    if (submission.delivery) {
      const { delivery, topic } = submission;
      if (delivery.firstNs !== undefined) {
        this.#isGiven = true;
        return delivery.firstNs;
      }
      const payload = 'payload' in submission ? submission.payload : bytesOf(submission.items);
      this.delivery = this.#options.deliveries.placeOf(delivery, topic, payload, this.#nowNs);
      if (this.delivery.firstNs >= 0n) return this.delivery.firstNs;
    }
    this.areNew = true;
    const firstNs = this.#options.stamper.next(this.#nowNs);
    if (this.delivery) this.delivery.firstNs = firstNs;
    return firstNs;
  }
}

function bytesOf(items: readonly unknown[]): Uint8Array {
  return Buffer.from(jsonOf(items) ?? '');
}
