import type { Severity, StoredRule } from '@tidemark/core';

/** Stands for a rule that is not among ours: one that is gone, or what another program goes by. It holds for no reading. */
export function standInRule(
  id: string,
  { severity, message, notify }: { severity: Severity; message: string; notify: readonly string[] },
): StoredRule {
  return {
    id,
    metric: undefined,
    sensors: undefined,
    location: undefined,
    labels: undefined,
    condition: { kind: 'absent', afterMs: Number.POSITIVE_INFINITY },
    forMs: 0,
    severity,
    message,
    notify,
    notifyWithinMs: Number.POSITIVE_INFINITY,
    isEnabled: true,
    source: 'api',
    document: {},
    createdNs: 0n,
    updatedNs: 0n,
    version: 1,
  };
}
