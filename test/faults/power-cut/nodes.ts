/** The smallest piece that a disk writes as a whole. */
const SECTOR_BYTES = 512;

/** A change of a file's content that no fsync has covered; `end` is when its call returned. */
type Change = { end: number } & (
  | { kind: 'write'; offset: number; bytes: Buffer }
  | { kind: 'truncate'; sizeBytes: number }
);

/** Says for each piece of what was not synced whether it survives. */
export type Chance = () => boolean;

/** Bytes that grow. */
class Content {
  #bytes = Buffer.alloc(0);
  #length = 0;

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  apply(change: Change): void {
    if (change.kind === 'truncate') {
      this.#resize(change.sizeBytes);
      return;
    }
    const { offset, bytes } = change;
    this.#resize(Math.max(this.#length, offset + bytes.length));
    bytes.copy(this.#bytes, offset);
  }

  #resize(sizeBytes: number): void {
    if (sizeBytes > this.#bytes.length) {
      const larger = Buffer.alloc(sizeBytes * 2);
      this.bytes.copy(larger);
      this.#bytes = larger;
    } else if (sizeBytes < this.#length) this.#bytes.fill(0, sizeBytes, this.#length);
    this.#length = sizeBytes;
  }
}

/** A file: the content that is on stable storage, what was done to it since, and the content that processes see. */
export class FileNode {
  readonly #stable = new Content();
  readonly #seen = new Content();
  #changes: Change[] = [];

  get sizeBytes(): number {
    return this.#seen.bytes.length;
  }

  /** The content as the processes see it. */
  get content(): Buffer {
    return this.#seen.bytes;
  }

  write(end: number, offset: number, bytes: Buffer): void {
    this.#change({ kind: 'write', end, offset, bytes });
  }

  truncate(end: number, sizeBytes: number): void {
    this.#change({ kind: 'truncate', end, sizeBytes });
  }

  /**
   * Makes stable what had returned when an fsync that succeeded began. False when the file reads otherwise than what
   * is stable although nothing waits: what an earlier fsync lost is promised by this one.
   */
  sync(begin: number): boolean {
    for (const change of this.#changes) if (change.end < begin) this.#stable.apply(change);
    this.#changes = this.#changes.filter(({ end }) => end >= begin);
    return this.#changes.length > 0 || this.#stable.bytes.equals(this.#seen.bytes);
  }

  /** An fsync failed: what it should have covered is still seen by the processes, and never becomes stable. */
  lose(begin: number): void {
    this.#changes = this.#changes.filter(({ end }) => end >= begin);
  }

  /** Leaves what is stable, and of the rest what has the luck. */
  cut(survives: Chance): void {
    for (const change of this.#changes) {
      if (change.kind === 'write') for (const sector of sectorsOf(change)) this.#keep(sector, survives);
      else this.#keep(change, survives);
    }
    this.#changes = [];
    this.#seen.apply({ kind: 'truncate', end: 0, sizeBytes: 0 });
    this.#seen.apply({ kind: 'write', end: 0, offset: 0, bytes: this.#stable.bytes });
  }

  #change(change: Change): void {
    this.#changes.push(change);
    this.#seen.apply(change);
  }

  #keep(change: Change, survives: Chance): void {
    if (survives()) this.#stable.apply(change);
  }
}

type Node = FileNode | FolderNode;
type Entry = readonly [name: string, node: Node | undefined];

/** A folder: the names that are on stable storage, and what was done to them since. */
export class FolderNode {
  readonly entries = new Map<string, Node>();
  #stable = new Map<string, Node>();
  #changes: { end: number; entries: readonly Entry[]; isLost?: boolean }[] = [];

  /** Sets names, or removes them, all or none. */
  change(end: number, entries: readonly Entry[]): void {
    this.#changes.push({ end, entries });
    setEntries(this.entries, entries);
  }

  sync(begin: number): boolean {
    for (const { end, entries, isLost } of this.#changes)
      if (end < begin && !isLost) setEntries(this.#stable, entries);
    this.#changes = this.#changes.filter(({ end }) => end >= begin);
    return true;
  }

  lose(begin: number): void {
    for (const change of this.#changes) if (change.end < begin) change.isLost = true;
  }

  /** As a file system with a journal does it: of the changes since, the first few. */
  cut(survives: Chance): void {
    for (const { entries, isLost } of this.#changes) {
      if (isLost || !survives()) break;
      setEntries(this.#stable, entries);
    }
    this.#changes = [];
    this.entries.clear();
    for (const [name, node] of this.#stable) {
      this.entries.set(name, node);
      node.cut(survives);
    }
  }
}

function setEntries(names: Map<string, Node>, entries: readonly Entry[]): void {
  for (const [name, node] of entries) {
    if (node) names.set(name, node);
    else names.delete(name);
  }
}

function* sectorsOf(write: Change & { kind: 'write' }): Generator<Change> {
  const { end, offset, bytes } = write;
  for (let at = 0; at < bytes.length; ) {
    const next = Math.min(bytes.length, at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES));
    yield { kind: 'write', end, offset: offset + at, bytes: bytes.subarray(at, next) };
    at = next;
  }
}
