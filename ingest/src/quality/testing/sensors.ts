import type { Sensor } from '@tidemark/core';

/** A sensor as the registry would hold it. */
export function sensorOf(id: string, declared: Partial<Sensor> = {}): Sensor {
  return {
    id,
    kind: undefined,
    metrics: {},
    stays: [],
    reportedLocation: undefined,
    formerIds: [],
    expectedIntervalMs: undefined,
    owner: undefined,
    labels: {},
    state: 'active',
    timeFrom: 'device',
    isSelfRegistered: false,
    createdNs: 0n,
    updatedNs: 0n,
    version: 1,
    ...declared,
  };
}
