import { type Cause, type Sensor, TidemarkError } from '@tidemark/core';
import type { SensorRegistry } from '@tidemark/store';
import type { ApiParts } from '../parts.ts';
import { isObject } from './merge-patch.ts';
import { orInvalid } from './route-parts.ts';
import { readSensor } from './sensor-document.ts';

/** The sensor by its id, or by one that it had; throws `not_found`. */
export function foundSensor(registry: SensorRegistry, id: string): Sensor {
  const sensor = registry.sensor(id);
  if (sensor === undefined) throw new TidemarkError('not_found', `there is no sensor ${id}`);
  return sensor;
}

/**
 * Declares a sensor as the document says. `isNew`: a location without a time was always its place. Throws `bad_request`
 * that lists all that is wrong.
 */
export function writeSensor(
  { registry, clock, config }: ApiParts,
  { id, body, existing, isNew }: { id: string; body: unknown; existing: Sensor | undefined; isNew: boolean },
): Sensor {
  const maxMetrics = config.registry.maxMetricsPerSensor;
  const context = { id, existing, isNew, directory: registry, nowNs: clock.nowNs(), maxMetrics };
  const sensor = orInvalid(readSensor(body, context));
  registry.write({ sensors: [sensor] });
  return sensor;
}

/** Declares a sensor that nobody declared; throws `conflict` when its id is taken. */
export function createSensor(parts: ApiParts, body: unknown): Sensor {
  const id = isObject(body) && typeof body.id === 'string' ? body.id : '';
  const existing = parts.registry.sensor(id);
  if (existing && (existing.id !== id || !existing.isSelfRegistered))
    throw new TidemarkError('conflict', takenText(id, existing));
  const document = isObject(body) ? { ...body, id: body.id ?? '' } : body;
  return writeSensor(parts, { id, body: document, existing, isNew: true });
}

/** Why an id cannot be given. */
export function takenText(id: string, existing: Sensor): string {
  if (existing.id !== id) return `${id} is a former id of sensor ${existing.id}`;
  return `sensor ${id} exists; PATCH or PUT /api/v1/sensors/${id} changes it`;
}

/** Forgets a sensor, with its data or without; answers how many values were kept or deleted, null when nobody can say. */
export async function deleteSensor(
  parts: ApiParts,
  { id }: Sensor,
  { data, cause }: { data: 'kept' | 'deleted'; cause: Cause },
): Promise<number | null> {
  const { registry, history, audit } = parts;
  // Before the store loses anything, so that no crash leaves a loss that nobody is named for.
  const line = audit.begin({ action: 'sensor.delete', target: { id, data }, cause });
  const points = data === 'deleted' ? await history.remove(id) : await countOrNull(parts, id);
  registry.write({ removedSensors: [id] }, () =>
    audit.count(line, { sensors: 1, points: points ?? undefined }),
  );
  return points;
}

async function countOrNull({ history }: ApiParts, sensor: string): Promise<number | null> {
  try {
    return await history.count(sensor);
  } catch (error) {
    if (error instanceof TidemarkError && error.retryable) return null;
    throw error;
  }
}
