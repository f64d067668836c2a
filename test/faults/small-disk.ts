import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench } from './bench.ts';

const BLOCK = Buffer.alloc(4096);

/** A tmpfs can be mounted: root, and not within a container that forbids it. */
export const mountNeed = { name: 'the right to mount a tmpfs', find: canMount };

/** A disk of a few MiB that can be filled up from outside. */
export class SmallDisk {
  readonly #ballast: string;

  private constructor(path: string) {
    this.#ballast = join(path, 'ballast');
  }

  /** Mounts it at a folder, made if need be, until the bench is disposed of. */
  static mount(bench: Bench, path: string, sizeMiB: number): SmallDisk {
    mkdirSync(path, { recursive: true });
    mount(path, sizeMiB);
    bench.defer(() => unmount(path));
    return new SmallDisk(path);
  }

  /** Takes all the room there is now. */
  fill(): void {
    const file = openSync(this.#ballast, 'a');
    try {
      for (;;) writeSync(file, BLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  /** Gives it back. */
  makeRoom(): void {
    rmSync(this.#ballast);
  }
}

function canMount(): boolean {
  const path = mkdtempSync(join(tmpdir(), 'tidemark-mount-'));
  try {
    mount(path, 1);
    unmount(path);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(path);
  }
}

function mount(path: string, sizeMiB: number): void {
  const options = ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tidemark-fault', path];
  execFileSync('mount', options, { stdio: 'ignore' });
}

/** Lazily, so that a process that is not gone yet holds nothing up. */
function unmount(path: string): void {
  execFileSync('umount', ['--lazy', path], { stdio: 'ignore' });
}
