/** A system call as strace saw it; `start` and `end` are positions in the order of all events. */
export interface SystemCall {
  name: string;
  /** The file or socket it was called on, as `strace -y` names it. */
  file: string;
  /** The bytes written, when it wrote some. */
  bytes: Buffer;
  start: number;
  end: number;
  result: number;
}

const callPattern = /^(\d+)\s+(\w+)\((\d+)<([^>]*)>(.*)$/;
const resumedPattern = /^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$/;

/** Reads the log of `strace -f -y -xx`: calls that overlap others stand in it as two lines. */
export function parseStrace(log: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const open = new Map<string, SystemCall>();
  for (const [position, line] of log.split('\n').entries()) {
    const started = callPattern.exec(line);
    if (started) {
      const [, pid, name, , file, rest] = started as unknown as [
        string,
        string,
        string,
        string,
        string,
        string,
      ];
      const call = {
        name,
        file: fromHex(file),
        bytes: bytesIn(rest),
        start: position,
        end: position,
        result: resultIn(rest),
      };
      calls.push(call);
      if (rest.includes('<unfinished')) open.set(`${pid} ${name}`, call);
      continue;
    }
    const resumed = resumedPattern.exec(line);
    if (!resumed) continue;
    const call = open.get(`${resumed[1]} ${resumed[2]}`);
    if (!call) continue;
    call.end = position;
    call.result = resultIn(resumed[3]!);
    open.delete(`${resumed[1]} ${resumed[2]}`);
  }
  return calls;
}

function fromHex(text: string): string {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex').toString();
}

function bytesIn(text: string): Buffer {
  return Buffer.concat(
    Array.from(text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g), ([, hex]) =>
      Buffer.from(hex!.replaceAll('\\x', ''), 'hex'),
    ),
  );
}

function resultIn(text: string): number {
  return Number(/\)\s*= (-?\d+)/.exec(text)?.[1] ?? Number.NaN);
}
