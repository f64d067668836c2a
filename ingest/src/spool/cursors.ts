import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from './segment.ts';

/** Who must have passed an offset before the log may drop what lies before it. */
export const cursorNames = ['store', 'quarantine', 'quality'] as const;
export type CursorName = (typeof cursorNames)[number];
export type CursorOffsets = Record<CursorName, number>;

/**
 * The durable cursors, in one file replaced as a whole. A lost or unreadable file costs a replay from the
 * oldest record, never data: writes to the store are idempotent.
 */
export class Cursors {
  readonly #directory: string;
  #offsets: CursorOffsets;

  private constructor(directory: string, offsets: CursorOffsets) {
    this.#directory = directory;
    this.#offsets = offsets;
  }

  /** Loads the cursors, each held between the log's first and end offset. */
  static async load(directory: string, firstOffset: number, endOffset: number): Promise<Cursors> {
    const saved = await readSaved(join(directory, 'cursors.json'));
    const within = (offset: unknown): number =>
      typeof offset === 'number' ? Math.min(Math.max(offset, firstOffset), endOffset) : firstOffset;
    const { store, quarantine, quality } = saved;
    return new Cursors(directory, {
      store: within(store),
      quarantine: within(quarantine),
      quality: within(quality),
    });
  }

  get(name: CursorName): number {
    return this.#offsets[name];
  }

  /** The offset that every cursor has passed. */
  get lowest(): number {
    return Math.min(...Object.values(this.#offsets));
  }

  async set(name: CursorName, offset: number): Promise<void> {
    this.#offsets = { ...this.#offsets, [name]: offset };
    const path = join(this.#directory, 'cursors.json');
    const newPath = `${path}.${name}.new`;
    // What an earlier try left, perhaps as its fsync failed: the same file is never synced again.
    await rm(newPath, { force: true });
    const handle = await open(newPath, 'wx');
    try {
      await handle.writeFile(JSON.stringify(this.#offsets));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(newPath, path);
    await syncDirectory(this.#directory);
  }
}

async function readSaved(path: string): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
