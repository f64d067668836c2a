import { type Cause, type Location, type Sensor, TidemarkError } from '@tidemark/core';
import type { SensorRegistry } from '@tidemark/store';
import type { ApiParts } from '../parts.ts';
import { parentIssues, readLocation } from './location-document.ts';
import { isObject } from './merge-patch.ts';
import { pageById } from './page-by-id.ts';
import { orInvalid } from './route-parts.ts';

/** Sensors that a refusal names. */
const MAX_NAMED = 20;

/** The location with the id; throws `not_found`. */
export function foundLocation(registry: SensorRegistry, id: string): Location {
  const location = registry.location(id);
  if (location === undefined) throw new TidemarkError('not_found', `there is no location ${id}`);
  return location;
}

/** Declares a location as the document says; throws `bad_request` that lists all that is wrong. */
export function writeLocation(
  { registry, clock }: ApiParts,
  { id, body, existing }: { id: string; body: unknown; existing: Location | undefined },
): Location {
  const read = readLocation(body, { id, existing, nowNs: clock.nowNs() });
  const parentFaults = parentIssues(id, body, registry);
  const location = orInvalid(
    parentFaults.length === 0 ? read : [...(Array.isArray(read) ? read : []), ...parentFaults],
  );
  registry.write({ locations: [location] });
  return location;
}

/** Declares a location that nobody declared; throws `conflict` when there is one. */
export function createLocation(parts: ApiParts, body: unknown): Location {
  const id = isObject(body) && typeof body.id === 'string' ? body.id : '';
  const existing = parts.registry.location(id);
  if (existing && !existing.isSelfRegistered) {
    const message = `location ${id} exists; PATCH or PUT /api/v1/locations/${id} changes it`;
    throw new TidemarkError('conflict', message);
  }
  const document = isObject(body) ? { ...body, id: body.id ?? '' } : body;
  return writeLocation(parts, { id, body: document, existing });
}

/** Forgets a location; throws `conflict` while a sensor is or was there, or another location lies in it. */
export function deleteLocation({ registry, audit }: ApiParts, { id }: Location, cause: Cause): void {
  refuseWhileInUse(registry, id);
  registry.write({ removedLocations: [id] }, () =>
    audit.count(audit.begin({ action: 'location.delete', target: { id }, cause }), { locations: 1 }),
  );
}

function refuseWhileInUse(registry: SensorRegistry, id: string): void {
  const isThere = ({ stays }: Sensor): boolean => stays.some(({ location }) => location === id);
  const isInside = ({ parent }: Location): boolean => parent === id;
  const sensors = idsWhere(registry.sensors(), isThere);
  const inside = idsWhere(registry.locations(), isInside);
  const uses = [
    ...(sensors.length > 0 ? [`sensors are or were there: ${sensors.join(', ')}`] : []),
    ...(inside.length > 0 ? [`locations lie in it: ${inside.join(', ')}`] : []),
  ];
  if (uses.length > 0) throw new TidemarkError('conflict', `location ${id} is in use; ${uses.join('; ')}`);
}

/** The first ids of those that are so, with an ellipsis where there are more. */
function idsWhere<Entry extends { id: string }>(
  entries: Iterable<Entry>,
  matches: (entry: Entry) => boolean,
): string[] {
  const page = pageById(entries, { after: '', limit: MAX_NAMED, matches }).map(({ id }) => id);
  return page.length > MAX_NAMED ? [...page.slice(0, MAX_NAMED), '…'] : page;
}
