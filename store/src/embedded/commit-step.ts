import type { Database } from './database.ts';
import type { Layout } from './layout.ts';

interface StepParts {
  database: Database;
  layout: Layout;
}

/** Runs one step: its statements in a transaction, then the same change in memory. */
export async function commitStep<T>(
  { database, layout }: StepParts,
  change: () => Promise<void>,
  apply: () => T,
): Promise<T> {
  const step = database.compactAtomically(change).then(() => {
    layout.version += 1;
    return apply();
  });
  // Queries that find a table gone wait for this before they look again.
  layout.change = step.then(
    () => undefined,
    () => undefined,
  );
  try {
    return await step;
  } finally {
    layout.change = undefined;
  }
}
