import type { EntryBlock, SpoolEntry } from './entry.ts';

/** What a block takes besides its entries, in bytes of the log: at a low rate each message is a block of its own. */
const BLOCK_BYTES = 4096;

interface Block {
  offset: number;
  nextOffset: number;
  entries: EntryBlock;
}

interface KeptBlock extends Block {
  bytes: number;
}

/**
 * The newest entries, kept decoded so that readers who keep up never touch the disk. Bounded by the bytes
 * they take in the log, and by their number; the oldest block goes first.
 */
export class Tail {
  readonly #maxBytes: number;
  #blocks: KeptBlock[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(block: Block): void {
    const last = this.#blocks.at(-1);
    // Blocks must join; a gap (a new segment's header) is no gap for readers, who go by nextOffset.
    if (last) last.nextOffset = block.offset;
    // Noted: a gap behind it, which may be wide, takes no memory.
    const bytes = BLOCK_BYTES + block.nextOffset - block.offset;
    this.#blocks.push({ ...block, bytes });
    this.#bytes += bytes;
    while (this.#bytes > this.#maxBytes && this.#blocks.length > 1) this.#dropOldest();
  }

  /** Forgets what every reader has passed. */
  release(offset: number): void {
    while (this.#blocks.length > 0 && this.#blocks[0]!.nextOffset <= offset) this.#dropOldest();
  }

  /** Entries from `offset` on, about `maxBytes` of them, or undefined when the tail begins later. */
  read(offset: number, maxBytes: number): SpoolEntry[] | undefined {
    const first = this.#blocks[0];
    if (!first || offset < first.offset) return undefined;
    let index = this.#indexOf(offset);
    const entries: SpoolEntry[] = [];
    // A block without any is passed over whatever its size.
    for (let bytes = 0; index < this.#blocks.length && (bytes < maxBytes || entries.length === 0); index++) {
      const block = this.#blocks[index]!;
      for (const entry of block.entries.entriesFrom(offset)) entries.push(entry);
      bytes += block.nextOffset - Math.max(block.offset, offset);
    }
    return entries;
  }

  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#blocks[middle]!.offset <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #dropOldest(): void {
    const [oldest] = this.#blocks.splice(0, 1);
    if (oldest) this.#bytes -= oldest.bytes;
  }
}
