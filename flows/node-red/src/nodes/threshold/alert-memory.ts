import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

const fileVersion = 1;

interface Kept {
  version: number;
  /** Number of the last change of an alert that was seen. */
  seen: number | undefined;
  /** Sensors whose alert was told as raised and not yet as cleared. */
  raised: string[];
}

/**
 * What a threshold node has told, kept in a file over restarts of Node-RED. Saved behind what is sent: a crash
 * between the two has a change told again, and none is missed.
 */
export class AlertMemory {
  seen: number | undefined;
  readonly raised = new Set<string>();
  readonly #path: string;
  readonly #onFault: (error: unknown) => void;
  #saving: Promise<void> | undefined;
  #isStale = false;

  constructor({ path, onFault }: { path: string; onFault: (error: unknown) => void }) {
    this.#path = path;
    this.#onFault = onFault;
  }

  /** Reads the file; what cannot be read is told, and nothing is known then. */
  async load(): Promise<void> {
    try {
      const kept = JSON.parse(await readFile(this.#path, 'utf8')) as Kept;
      if (kept.version !== fileVersion)
        throw new Error(`${this.#path} is of version ${kept.version}, not ${fileVersion}`);
      this.seen = kept.seen;
      for (const sensor of kept.raised) this.raised.add(sensor);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#onFault(error);
    }
  }

  /** Saves soon; changes that come while a write is under way are in the next one. */
  save(): void {
    this.#isStale = true;
    this.#saving ??= this.#write().finally(() => {
      this.#saving = undefined;
    });
  }

  /** Resolves once everything is saved. */
  async flush(): Promise<void> {
    await this.#saving;
  }

  async remove(): Promise<void> {
    await this.flush();
    await rm(this.#path, { force: true });
  }

  async #write(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      const kept: Kept = { version: fileVersion, seen: this.seen, raised: [...this.raised] };
      try {
        await mkdir(dirname(this.#path), { recursive: true });
        await writeFile(`${this.#path}.new`, JSON.stringify(kept));
        await rename(`${this.#path}.new`, this.#path);
      } catch (error) {
        this.#onFault(error);
      }
    }
  }
}
