import { describe } from 'vitest';
import { conflictContract } from './contract/conflicts.ts';
import { fillContract } from './contract/fill.ts';
import { identityContract } from './contract/identity.ts';
import { latestContract } from './contract/latest.ts';
import { lifecycleContract } from './contract/lifecycle.ts';
import { modelContract } from './contract/model.ts';
import { pointsContract } from './contract/points.ts';
import { policyContract } from './contract/policies.ts';
import { purgeContract } from './contract/purge.ts';
import { randomWindowsContract } from './contract/random-windows.ts';
import { readingsContract } from './contract/readings.ts';
import { sensorContract } from './contract/sensors.ts';
import { type EngineSource, useEngine } from './contract/subject.ts';
import { valuesContract } from './contract/values.ts';
import { windowsContract } from './contract/windows.ts';
import { zoneContract } from './contract/zones.ts';

export type { EngineSource, OpenedEngine } from './contract/subject.ts';

/** The suite every engine must pass: what is asked of it has one answer, whichever store is behind. */
export function engineContract(name: string, source: EngineSource): void {
  // Generous, since a busy machine is no failure.
  describe(name, { timeout: 60_000 }, () => {
    const subject = useEngine(source);
    valuesContract(subject);
    identityContract(subject);
    conflictContract(subject);
    readingsContract(subject);
    pointsContract(subject);
    latestContract(subject);
    windowsContract(subject);
    randomWindowsContract(subject);
    fillContract(subject);
    zoneContract(subject);
    sensorContract(subject);
    purgeContract(subject);
    modelContract(subject);
    lifecycleContract(subject);
  });
  describe(`${name}, type policy`, { timeout: 60_000 }, () => policyContract(source));
}
