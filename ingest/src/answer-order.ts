import type { Submission, TidemarkError } from '@tidemark/core';
import { InOrder } from './sources/in-order.ts';
import type { Done } from './spool/batch.ts';

interface Answer {
  done: Done;
  error: TidemarkError | undefined;
}

/**
 * Keeps the answers of one sender in the order of its messages, where some of them are read elsewhere and take longer:
 * MQTT 5 section 4.6 asks for acknowledgements in the order that messages came. Those of others do not wait.
 */
export class AnswerOrder {
  readonly #answers = new Map<string, InOrder<Answer>>();

  /** True while nobody's messages wait for others. */
  get isIdle(): boolean {
    return this.#answers.size === 0;
  }

  /** The answer to a message that is read elsewhere: what comes of the same sender after it waits for it. */
  begin(submission: Submission, done: Done): Done {
    const sender = senderOf(submission);
    const answers = this.#answers.get(sender) ?? new InOrder();
    this.#answers.set(sender, answers);
    return this.#join(sender, answers, done);
  }

  /** The answer to another message, which waits for those before it of the same sender. */
  follow(submission: Submission, done: Done): Done {
    const sender = senderOf(submission);
    const answers = this.#answers.get(sender);
    return answers === undefined ? done : this.#join(sender, answers, done);
  }

  #join(sender: string, answers: InOrder<Answer>, done: Done): Done {
    const slot = answers.add({ done, error: undefined });
    return (error) => {
      slot.item.error = error;
      slot.isSettled = true;
      const due = answers.take();
      if (answers.size === 0) this.#answers.delete(sender);
      for (const answer of due) answer.done(answer.error);
    };
  }
}

/** A client where there is one, else whoever sends from that source. */
function senderOf({ source, delivery }: Submission): string {
  return `${source}:${delivery?.clientId ?? ''}`;
}
