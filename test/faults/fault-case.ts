import type { Bench } from './bench.ts';

/** `short` for CI, some seconds; `long` for the figures in the docs. */
export type Mode = 'short' | 'long';

/** What a case found. The counts were asserted by the case; what is recorded only informs. */
export interface CaseResult {
  counts: Record<string, number>;
  /** Times, rates and sizes, units last in their names. */
  recorded: Record<string, number | string>;
}

/** A program or a right that a case cannot do without. */
interface Need {
  name: string;
  /** Where it is, or whether it is there. */
  find(): string | boolean | undefined;
}

/**
 * One fault, and what the platform must not do under it. A file `cases/<letter>-<name>.ts` exports one as
 * `faultCase`.
 */
export interface FaultCase {
  /** The letter that names it. */
  id: string;
  title: string;
  /** What must hold, in one sentence. */
  criterion: string;
  needs?: readonly Need[];
  /** Seconds after which the case has failed, whatever it waits for. */
  limitSeconds: Record<Mode, number>;
  /** Throws when the criterion does not hold. */
  run(bench: Bench): Promise<CaseResult>;
}
