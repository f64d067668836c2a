const startedPattern = /^(\d+)\s+(\w+)\((.*)$/s;
const resumedPattern = /^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$/s;
const descriptorPattern = /^(-?\d+)<(.*?)>(?:\(deleted\))?(?:, |\)|$)/s;

/** A system call as strace saw it; `start` and `end` are positions in the order of all events. */
export class SystemCall {
  readonly name: string;
  /** Its arguments as strace writes them, and whatever follows them on the line. */
  readonly text: string;
  readonly start: number;
  end: number;
  /** NaN when it never returned. */
  result = Number.NaN;
  #bytes: Buffer | undefined;

  constructor(name: string, text: string, start: number) {
    this.name = name;
    this.text = text;
    this.start = start;
    this.end = start;
  }

  /** The descriptor that is its first argument. */
  get descriptor(): number {
    return Number(descriptorPattern.exec(this.text)?.[1] ?? Number.NaN);
  }

  /** The file or socket that the first argument is, as `strace -y` names it. */
  get file(): string {
    return fromHex(descriptorPattern.exec(this.text)?.[2] ?? '').toString();
  }

  /** The strings among its arguments, the first to the last: paths, or what was written. */
  get strings(): Buffer[] {
    return Array.from(this.text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g), ([, hex]) => fromHex(hex!));
  }

  /** The bytes written, when it wrote some. */
  get bytes(): Buffer {
    this.#bytes ??= Buffer.concat(this.strings);
    return this.#bytes;
  }
}

/** Reads the log of `strace -f -y -xx` line by line: calls that overlap others stand in it as two lines. */
export class StraceReader {
  readonly #open = new Map<string, SystemCall>();
  #position = 0;

  /** The call that a line begins, ends, or both; undefined for other events. */
  read(line: string): SystemCall | undefined {
    const position = this.#position++;
    const started = startedPattern.exec(line);
    if (started) {
      const [, pid, name, text] = started as unknown as [string, string, string, string];
      const call = new SystemCall(name, text, position);
      if (text.endsWith('<unfinished ...>')) this.#open.set(`${pid} ${name}`, call);
      else call.result = resultIn(text);
      return call;
    }
    const resumed = resumedPattern.exec(line);
    if (!resumed) return undefined;
    const [, pid, name, text] = resumed as unknown as [string, string, string, string];
    const call = this.#open.get(`${pid} ${name}`);
    this.#open.delete(`${pid} ${name}`);
    if (!call) return undefined;
    call.end = position;
    call.result = resultIn(text);
    return call;
  }
}

/** Every call of a log, in the order in which they began. */
export function parseStrace(log: string): SystemCall[] {
  const reader = new StraceReader();
  const calls = log.split('\n').map((line) => reader.read(line));
  return [...new Set(calls.filter((call) => call !== undefined))];
}

function fromHex(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex');
}

function resultIn(text: string): number {
  // What was written may be megabytes long; a path that follows the result is not.
  return Number(/\)\s*= (-?\d+)/.exec(text.slice(-20_000))?.[1] ?? Number.NaN);
}
