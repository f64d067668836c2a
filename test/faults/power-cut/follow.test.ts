import { expect, it } from 'vitest';
import { hasEnded } from './follow.ts';

it.each([
  ['30123 fsync(3) = 0\n30123 +++ killed by SIGKILL +++\n', 30_123, true],
  ['749   fsync(3) = 0\n749   +++ exited with 0 +++\n', 749, true],
  ['7491  +++ exited with 0 +++\n749   fsync(3) = 0\n', 749, false],
  ['30123 write(1, "749   +++ ") = 10\n', 749, false],
])(
  'the end of a process in the log of strace, with its id padded to five digits: %j',
  (log, pid, isThere) => {
    expect(hasEnded(log, pid)).toBe(isThere);
  },
);
