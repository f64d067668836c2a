/** More at a time would take longer each, and need more memory. */
export const MAX_READS = 2;

interface ComputeLimits {
  /** Queries at a time; each computes on a thread of Node's pool. */
  reads: number;
  /** What DuckDB is told: its own threads, and one that asks. */
  threads: number;
}

/**
 * How much may compute at a time. While points come in without a pause a core is left to what acknowledges them: with all of
 * them taken, niced or not, an `fdatasync` goes from 0.4 to 6 ms and at times over 100, most likely since threads of the kernel that
 * it needs wait for the ones that compute.
 */
export function computeLimits({ cores, isLoaded }: { cores: number; isLoaded: boolean }): ComputeLimits {
  if (!isLoaded) return { reads: MAX_READS, threads: cores };
  const reads = Math.max(Math.min(cores - 1, MAX_READS), 1);
  return { reads, threads: Math.max(cores - reads, 1) };
}
