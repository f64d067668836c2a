import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, syncPath } from '@tidemark/core';
import type { DamageKeeper } from './damage.ts';

/** Who must have passed an offset before the log may drop what lies before it. */
export const cursorNames = ['store', 'quarantine', 'quality', 'alerts', 'derived'] as const;
export type CursorName = (typeof cursorNames)[number];
export type CursorOffsets = Record<CursorName, number>;

interface LoadOptions {
  directory: string;
  firstOffset: number;
  endOffset: number;
  damage: DamageKeeper;
}

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

  /** Loads the cursors, each held between the log's first and end offset. An unreadable file is set aside. */
  static async load({ directory, firstOffset, endOffset, damage }: LoadOptions): Promise<Cursors> {
    const saved = await readSaved(directory, damage);
    const within = (offset = firstOffset): number => Math.min(Math.max(offset, firstOffset), endOffset);
    const { store, quarantine, quality, alerts, derived } = saved;
    return new Cursors(directory, {
      store: within(store),
      quarantine: within(quarantine),
      quality: within(quality),
      alerts: within(alerts),
      derived: within(derived),
    });
  }

  get(name: CursorName): number {
    return this.#offsets[name];
  }

  /** The offset that every cursor has passed. */
  get lowest(): number {
    return Math.min(...Object.values(this.#offsets));
  }

  /** Takes a cursor back; it is saved with the next one that moves. */
  rewind(name: CursorName, offset: number): void {
    this.#offsets = { ...this.#offsets, [name]: offset };
  }

  /** Lets the log drop what nobody reads behind a cursor; when somebody does again, it begins at the oldest record. */
  release(name: CursorName): void {
    this.#offsets = { ...this.#offsets, [name]: Number.POSITIVE_INFINITY };
  }

  async set(name: CursorName, offset: number): Promise<void> {
    this.#offsets = { ...this.#offsets, [name]: offset };
    const path = join(this.#directory, 'cursors.json');
    const newPath = `${path}.${name}.new`;
    // What an earlier try left, perhaps as its fsync failed: the same file is never synced again.
    await rm(newPath, { force: true });
    const handle = await open(newPath, 'wx');
    try {
      const held = Object.entries(this.#offsets).filter(([, at]) => Number.isFinite(at));
      await handle.writeFile(JSON.stringify(Object.fromEntries(held)));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(newPath, path);
    await syncPath(this.#directory);
  }
}

async function readSaved(directory: string, damage: DamageKeeper): Promise<Partial<CursorOffsets>> {
  const path = join(directory, 'cursors.json');
  try {
    return parseCursors(await readFile(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    await damage.setAside(path, `${messageOf(error)}; everything the log holds is read again`);
    return {};
  }
}

/** One that is not there was not known to the version that wrote the file. */
function parseCursors(text: string): Partial<CursorOffsets> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new Error('it holds no cursors');
  for (const name of cursorNames) {
    const offset: unknown = (value as Partial<Record<CursorName, unknown>>)[name];
    if (offset !== undefined && typeof offset !== 'number') throw new Error(`cursor ${name} is no number`);
  }
  return value;
}
