import type { WriteStream } from 'node:tty';

// ECMA-48 and xterm: the other screen, with the cursor hidden; back home, and what is right of and below a text erased.
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const ERASE_LINE = '\x1b[K';
const ERASE_BELOW = '\x1b[J';

/** The terminal as one screen that is drawn anew; what was on it before is back when it is left. */
export class Screen {
  readonly #terminal: WriteStream;
  readonly #restore = (): void => this.leave();
  #isEntered = false;

  constructor(terminal: WriteStream) {
    this.#terminal = terminal;
  }

  enter(): void {
    this.#isEntered = true;
    this.#terminal.write(ENTER);
    // However the process ends.
    process.once('exit', this.#restore);
  }

  leave(): void {
    if (!this.#isEntered) return;
    this.#isEntered = false;
    process.off('exit', this.#restore);
    this.#terminal.write(LEAVE);
  }

  get size(): { columns: number; rows: number } {
    return { columns: this.#terminal.columns, rows: this.#terminal.rows };
  }

  draw(text: string): void {
    // Drawn over what is there, line by line: cleared before, it would flicker.
    const lines = text.split('\n').map((line) => line + ERASE_LINE);
    this.#terminal.write(HOME + lines.join('\r\n') + ERASE_BELOW);
  }
}
