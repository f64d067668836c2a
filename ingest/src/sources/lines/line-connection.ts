import type { Socket } from 'node:net';
import type { Acceptor, Config, Outcome, QuarantineReason } from '@tidemark/core';
import { LineReader, type ReadLine } from './line-reader.ts';
import type { LineMetrics } from './metrics.ts';

/** How long lines may wait for their fsync before the connection is closed, so that the device tries again later. */
const MAX_HOLD_MS = 5000;
/** How long a connection has to show its token. */
const GREETING_MS = 10_000;
/** How long a connection that is closed has to take its last answer. */
const GOODBYE_MS = 1000;
/** A page in a browser can send any text to a port of this machine, but always behind a line like this. */
const httpRequest = /^[A-Z]+ \S* ?HTTP\/\d/;
const tokenLine = /^token +(\S+) *$/;
const TOPIC = 'tcp';

interface LineConnectionOptions {
  socket: Socket;
  acceptor: Acceptor;
  /** Whether the token is right. */
  checkToken: (token: string) => boolean;
  isTokenRequired: boolean;
  limits: Pick<Config['lines'], 'maxLineBytes' | 'maxUnanswered'>;
  metrics: LineMetrics;
  monotonicMs: () => number;
}

interface Problem {
  reason: QuarantineReason;
  detail: string;
}

/** The answer to a line, in the order of the lines; undefined until its fsync has returned. */
interface Answer {
  line: number;
  text: string | undefined;
}

/**
 * One device: reads its lines, gives each to the acceptor and answers in their order, each when it is durable. At
 * `maxUnanswered` it reads no further until answers have gone out.
 */
export class LineConnection {
  readonly #options: LineConnectionOptions;
  readonly #reader: LineReader;
  readonly #answers: Answer[] = [];
  #lines = 0;
  #isTrusted: boolean;
  #isFirst = true;
  #hasEnded = false;
  #isFlushing = false;
  /** When the oldest line that has no answer began to wait, or one before it was answered; at first, when it was opened. */
  #sinceMs: number;

  constructor(options: LineConnectionOptions) {
    this.#options = options;
    this.#isTrusted = !options.isTokenRequired;
    this.#sinceMs = options.monotonicMs();
    this.#reader = new LineReader(options.limits.maxLineBytes);
    const { socket } = options;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('end', () => {
      this.#hasEnded = true;
      this.#takeLines();
    });
    socket.on('drain', () => this.#takeLines());
  }

  /** Closes a connection whose lines have waited too long for the disk, or that shows no token. */
  closeIfStuck(nowMs: number): void {
    const waitedMs = nowMs - this.#sinceMs;
    if (!this.#isTrusted && waitedMs > GREETING_MS)
      this.#refuseToken('send an API token as the first line: token tm_…');
    if (this.#answers.length === 0 || waitedMs < MAX_HOLD_MS) return;
    this.#options.metrics.heldTooLong.inc();
    this.#giveUp('spool_full', 'the line could not be made durable in time');
  }

  /** Takes no more lines, and ends when those that were taken have their answers. */
  finish(): void {
    this.#hasEnded = true;
    this.#reader.rest();
    this.#options.socket.pause();
    this.#endIfDone();
  }

  #read(chunk: Buffer): void {
    if (this.#options.socket.writableEnded) return;
    this.#reader.push(chunk);
    this.#takeLines();
  }

  #takeLines(): void {
    const { socket, limits } = this.#options;
    while (!socket.destroyed && !socket.writableEnded) {
      const isFull = this.#answers.length >= limits.maxUnanswered || socket.writableNeedDrain;
      const line = isFull ? undefined : this.#reader.next();
      if (line === undefined) {
        if (isFull) socket.pause();
        else if (this.#hasEnded) this.#takeRest();
        else socket.resume();
        return;
      }
      this.#takeLine(line);
    }
  }

  #takeLine({ bytes, isCut }: ReadLine): void {
    if (this.#isFirst) {
      this.#isFirst = false;
      if (this.#takeGreeting(bytes)) return;
    }
    if (!this.#isTrusted) {
      this.#refuseToken('send an API token as the first line: token tm_…');
      return;
    }
    const { maxLineBytes } = this.#options.limits;
    const tooLong = `longer than ${maxLineBytes} bytes; its beginning is kept`;
    this.#accept(bytes, isCut ? { reason: 'too_long', detail: tooLong } : undefined);
  }

  /** True when the first line is none of readings: a token, or what no device sends. */
  #takeGreeting(bytes: Buffer): boolean {
    const text = bytes.toString('latin1', 0, 256);
    if (httpRequest.test(text)) {
      this.#options.metrics.refuse('http');
      this.#close('error 0 bad_request this port takes lines of readings, not HTTP');
      return true;
    }
    const [, token] = tokenLine.exec(text) ?? [];
    if (token === undefined) return false;
    if (this.#options.checkToken(token)) {
      this.#isTrusted = true;
      this.#answers.push({ line: 0, text: 'ok 0' });
      this.#flushSoon();
    } else {
      this.#refuseToken('the token is not one of those that exist');
    }
    return true;
  }

  #refuseToken(detail: string): void {
    this.#options.metrics.refuse('token');
    this.#close(`error 0 unauthorized ${detail}`);
  }

  /** A line that did not end may have lost its end with the connection: half a number is a number too. */
  #takeRest(): void {
    const rest = this.#reader.rest();
    if (rest.length > 0 && this.#isTrusted)
      this.#accept(rest, {
        reason: 'bad_line',
        detail: 'it did not end by a newline before the connection did',
      });
    this.#endIfDone();
  }

  #accept(payload: Buffer, problem?: Problem): void {
    const line = ++this.#lines;
    const answer: Answer = { line, text: undefined };
    if (this.#answers.length === 0) this.#sinceMs = this.#options.monotonicMs();
    this.#answers.push(answer);
    let outcome: Outcome | undefined;
    let isDone = false;
    const submission = { source: 'tcp' as const, topic: TOPIC, payload, line, problem };
    outcome = this.#options.acceptor.accept(submission, (error) => {
      if (error) {
        this.#giveUp(error.code, error.message);
        return;
      }
      isDone = true;
      if (outcome) this.#settle(answer, outcome);
    });
    // What holds nothing is done before its outcome is known.
    if (isDone) this.#settle(answer, outcome);
  }

  #settle(answer: Answer, { rejected }: Outcome): void {
    answer.text = rejected.length === 0 ? `ok ${answer.line}` : `error ${answer.line} ${reasonsOf(rejected)}`;
    this.#options.metrics.answer(rejected.length === 0 ? 'ok' : 'error');
    this.#sinceMs = this.#options.monotonicMs();
    this.#flushSoon();
  }

  /** All answers of one commit in one write. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#flush();
      if (this.#options.socket.isPaused() || this.#hasEnded) this.#takeLines();
    });
  }

  #flush(): void {
    const pending = this.#answers.findIndex(({ text }) => text === undefined);
    const ready = this.#answers.splice(0, pending === -1 ? this.#answers.length : pending);
    if (ready.length === 0 || this.#options.socket.writableEnded) return;
    this.#options.socket.write(`${ready.map(({ text }) => text).join('\n')}\n`);
  }

  #endIfDone(): void {
    const { socket } = this.#options;
    if (this.#answers.length === 0 && !socket.writableEnded) socket.end();
  }

  /** Nothing from the oldest unanswered line on was kept for certain: the device has to send it again. */
  #giveUp(code: string, message: string): void {
    if (this.#options.socket.writableEnded) return;
    this.#flush();
    const line = this.#answers[0]?.line ?? this.#lines;
    this.#options.metrics.answer('retry');
    this.#close(`retry ${line} ${code} ${oneLine(message)}`);
  }

  #close(text: string): void {
    const { socket } = this.#options;
    this.#answers.length = 0;
    if (socket.writableEnded) return;
    socket.end(`${text}\n`);
    // What still comes is passed over: closing while it is unread would take the answer away from the peer.
    socket.resume();
    setTimeout(() => socket.destroy(), GOODBYE_MS).unref();
  }
}

function reasonsOf(rejected: Outcome['rejected']): string {
  return rejected.map(({ code, detail }) => `${code} ${oneLine(detail)}`).join('; ');
}

function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}
