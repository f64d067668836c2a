/** Most reasons that are told: each broker may give one. */
const MAX_REASONS = 3;

/**
 * An error that says what is at the bottom of one of the Kafka client, whose own message says only what it was doing
 * ("Cannot connect to any broker."); anything else as it is.
 */
export function explain(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const reasons = [...new Set(reasonsOf(error))].slice(0, MAX_REASONS);
  return new Error(reasons.join('; '), { cause: error });
}

function reasonsOf(error: Error): string[] {
  const inner = error instanceof AggregateError && error.errors.length > 0 ? error.errors : [error.cause];
  const reasons = inner.filter((one) => one instanceof Error).flatMap(reasonsOf);
  return reasons.length > 0 ? reasons : [error.message];
}
