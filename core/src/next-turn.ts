import { setImmediate } from 'node:timers';

const waiting: (() => void)[] = [];

/**
 * Resolves in a turn of the event loop that no other caller gets. Long answers are made a piece at a time, and an
 * acknowledgement goes through several turns: with a piece of every answer in each, it would wait for all of them.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(takeTurn);
  });
}

function takeTurn(): void {
  waiting.shift()!();
  if (waiting.length > 0) setImmediate(takeTurn);
}
