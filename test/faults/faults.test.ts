import { describe, it } from 'vitest';
import { loadCases, missingNeed, runCase } from './run-case.ts';

const cases = await loadCases();

// `npm run test:faults` runs the long form. FAULT_SEED repeats the choices of a failed run.
describe('under a fault, nothing acknowledged is lost', () => {
  for (const faultCase of cases) {
    const { id, title, criterion, limitSeconds } = faultCase;
    const missing = missingNeed(faultCase);
    const name = `${id}. ${title}${missing === undefined ? '' : ` (${missing} is missing)`}`;
    it.skipIf(missing !== undefined)(name, { timeout: limitSeconds.short * 1000 + 30_000 }, async () => {
      const seed = Number(process.env.FAULT_SEED ?? Math.floor(Math.random() * 2 ** 31));
      try {
        await runCase(faultCase, { mode: 'short', seed });
      } catch (cause) {
        throw new Error(`${criterion} With FAULT_SEED=${seed}: ${(cause as Error).message}`, { cause });
      }
    });
  }
});
