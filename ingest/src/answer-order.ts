import type { Submission } from '@tidemark/core';
import type { Done } from './spool/batch.ts';

interface Turn {
  done: Done;
  /** Calls `done`, once it is known what with. */
  answer: (() => void) | undefined;
}

/**
 * Keeps the answers of one sender in the order of its messages, where some of them are read elsewhere and take longer:
 * MQTT 5 section 4.6 asks for acknowledgements in the order that messages came. Those of others do not wait.
 */
export class AnswerOrder {
  readonly #turns = new Map<string, Set<Turn>>();

  /** True while nobody's messages wait for others. */
  get isIdle(): boolean {
    return this.#turns.size === 0;
  }

  /** The answer to a message that is read elsewhere: what comes of the same sender after it waits for it. */
  begin(submission: Submission, done: Done): Done {
    const sender = senderOf(submission);
    const turns = this.#turns.get(sender) ?? new Set();
    this.#turns.set(sender, turns);
    return this.#join(sender, turns, done);
  }

  /** The answer to another message, which waits for those before it of the same sender. */
  follow(submission: Submission, done: Done): Done {
    const sender = senderOf(submission);
    const turns = this.#turns.get(sender);
    return turns === undefined ? done : this.#join(sender, turns, done);
  }

  #join(sender: string, turns: Set<Turn>, done: Done): Done {
    const turn: Turn = { done, answer: undefined };
    turns.add(turn);
    return (error) => {
      turn.answer = () => done(error);
      for (const first of turns) {
        if (first.answer === undefined) return;
        turns.delete(first);
        if (turns.size === 0) this.#turns.delete(sender);
        first.answer();
      }
    };
  }
}

/** A client where there is one, else whoever sends from that source. */
function senderOf({ source, delivery }: Submission): string {
  return `${source}:${delivery?.clientId ?? ''}`;
}
