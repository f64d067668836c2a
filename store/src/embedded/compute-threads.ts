import { readdirSync, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** Linux schedules each thread by a niceness of its own. */
const NICENESS = 10;
const THREADS = '/proc/self/task';

/**
 * Has the threads that compute for queries give way to the main thread, on Linux: on few cores acknowledgements would
 * wait for queries. They are the workers of Node's pool and the ones that DuckDB has started from them.
 */
export function niceComputeThreads(): void {
  if (process.platform !== 'linux') return;
  for (const thread of readdirSync(THREADS)) {
    const name = readFileSync(`${THREADS}/${thread}/comm`, 'utf8').trim();
    if (name === 'libuv-worker') setPriority(Number(thread), NICENESS);
  }
}
