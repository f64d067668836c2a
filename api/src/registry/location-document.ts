import { z } from '@hono/zod-openapi';
import { formatTime, type Issue, type Location, type SensorDirectory } from '@tidemark/core';
import { issuesOf } from '../problem.ts';
import { idMember, numberMember, readOnlyIssues, textMember } from './members.ts';
import { isObject } from './merge-patch.ts';

const locationInput = z
  .strictObject({
    id: idMember.optional(),
    name: textMember(256).nullish(),
    latitude: numberMember(-90, 90).nullish(),
    longitude: numberMember(-180, 180).nullish(),
    parent: idMember.nullish(),
  })
  .superRefine(({ latitude, longitude }, c) => {
    if ((latitude ?? null) === null && (longitude ?? null) !== null)
      c.addIssue({ code: 'custom', path: ['latitude'], message: 'is missing, and longitude is there' });
    if ((longitude ?? null) === null && (latitude ?? null) !== null)
      c.addIssue({ code: 'custom', path: ['longitude'], message: 'is missing, and latitude is there' });
  });

const readOnly = ['selfRegistered', 'createdAt', 'updatedAt'];

interface LocationContext {
  id: string;
  /** The location as it is; undefined for a new one. */
  existing: Location | undefined;
  nowNs: bigint;
}

/** The location that a document declares, or all that is wrong with it but its parent (`parentIssues`). */
export function readLocation(body: unknown, { id, existing, nowNs }: LocationContext): Location | Issue[] {
  if (!isObject(body)) return [{ path: '', message: 'a location is an object' }];
  const rest = Object.fromEntries(Object.entries(body).filter(([name]) => !readOnly.includes(name)));
  const parsed = locationInput.safeParse(rest);
  const issues = [
    ...(parsed.success ? [] : issuesOf(parsed.error, 'no such member')),
    ...readOnlyIssues(body, existing && locationToJson(existing), readOnly),
  ];
  if (typeof body.id === 'string' && body.id !== id)
    issues.push({ path: 'id', message: `is not ${id}; a location keeps its id, its name may change` });
  if (!parsed.success || issues.length > 0) return issues;
  const { name, latitude, longitude, parent } = parsed.data;
  return {
    id,
    name: name ?? id,
    latitude: latitude ?? undefined,
    longitude: longitude ?? undefined,
    parent: parent ?? undefined,
    isSelfRegistered: false,
    createdNs: existing?.createdNs ?? nowNs,
    updatedNs: nowNs,
    version: (existing?.version ?? 0) + 1,
  };
}

/** Whether its parent exists and leads to no circle. */
export function parentIssues(
  id: string,
  body: unknown,
  directory: Pick<SensorDirectory, 'location'>,
): Issue[] {
  const parent = isObject(body) ? body.parent : undefined;
  if (typeof parent !== 'string' || !idMember.safeParse(parent).success) return [];
  if (parent !== id && directory.location(parent) === undefined)
    return [{ path: 'parent', message: `no location ${parent} is registered; create it first` }];
  // A circle that does not pass here ends as well: each place is looked at once.
  const passed = new Set<string>();
  for (let at: string | undefined = parent; at !== undefined && !passed.has(at); ) {
    if (at === id)
      return [{ path: 'parent', message: `${parent} lies in ${id}: places would make a circle` }];
    passed.add(at);
    at = directory.location(at)?.parent;
  }
  return [];
}

/** A location as the API shows it. */
export function locationToJson(location: Location) {
  return {
    ...locationDeclaration(location),
    selfRegistered: location.isSelfRegistered,
    createdAt: formatTime(location.createdNs),
    updatedAt: formatTime(location.updatedNs),
  };
}

/** What people declared of a location: what a patch changes. */
export function locationDeclaration({ id, name, latitude, longitude, parent }: Location) {
  return { id, name, latitude: latitude ?? null, longitude: longitude ?? null, parent: parent ?? null };
}
