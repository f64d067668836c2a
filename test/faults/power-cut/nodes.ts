/** The smallest piece that a disk writes as a whole. */
const SECTOR_BYTES = 512;

/** A change of a file's content that no fsync has covered; `end` is when its call returned. */
type Change = { end: number; isLost?: boolean } & (
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

  copy(): Content {
    const copy = new Content();
    copy.apply({ kind: 'write', end: 0, offset: 0, bytes: this.bytes });
    return copy;
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

/** A file: the content that is on stable storage, and what was done to it since. */
export class FileNode {
  /** As the processes see it. */
  sizeBytes = 0;
  readonly #stable = new Content();
  #changes: Change[] = [];

  write(end: number, offset: number, bytes: Buffer): void {
    this.#changes.push({ kind: 'write', end, offset, bytes });
    this.sizeBytes = Math.max(this.sizeBytes, offset + bytes.length);
  }

  truncate(end: number, sizeBytes: number): void {
    this.#changes.push({ kind: 'truncate', end, sizeBytes });
    this.sizeBytes = sizeBytes;
  }

  /** Makes stable what had returned when an fsync that succeeded began. */
  sync(begin: number): void {
    for (const change of this.#changes) if (change.end < begin && !change.isLost) this.#stable.apply(change);
    this.#changes = this.#changes.filter(({ end, isLost }) => end >= begin || isLost);
  }

  /** An fsync failed: what it should have covered is still seen by the processes, and never becomes stable. */
  lose(begin: number): void {
    for (const change of this.#changes) if (change.end < begin) change.isLost = true;
  }

  /** The content as the processes see it. */
  content(): Buffer {
    const content = this.#stable.copy();
    for (const change of this.#changes) content.apply(change);
    return content.bytes;
  }

  /** Leaves what is stable, and of the rest what has the luck. */
  cut(survives: Chance): void {
    for (const change of this.#changes) {
      if (change.isLost) continue;
      if (change.kind === 'write') for (const sector of sectorsOf(change)) this.#keep(sector, survives);
      else this.#keep(change, survives);
    }
    this.#changes = [];
    this.sizeBytes = this.#stable.bytes.length;
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

  sync(begin: number): void {
    for (const { end, entries, isLost } of this.#changes)
      if (end < begin && !isLost) setEntries(this.#stable, entries);
    this.#changes = this.#changes.filter(({ end }) => end >= begin);
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
