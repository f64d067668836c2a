import type { Issue, Location, Sensor, SensorDirectory } from '@tidemark/core';
import type { SensorRegistry } from '@tidemark/store';
import { locationDeclaration, parentIssues, readLocation } from './location-document.ts';
import { idMember } from './members.ts';
import { isObject } from './merge-patch.ts';
import { readSensor, sensorDeclaration } from './sensor-document.ts';

/** What an import does to one entry; `members` are those that change. */
interface ImportChange {
  type: 'location' | 'sensor';
  id: string;
  action: 'create' | 'update' | 'none';
  members: string[];
}

interface ImportPlan {
  changes: ImportChange[];
  locations: Location[];
  sensors: Sensor[];
}

interface PlanOptions {
  registry: SensorRegistry;
  nowNs: bigint;
  maxMetrics: number;
}

/**
 * What a document of `locations` and `sensors` changes, or all that is wrong with it. A member that an entry
 * gives replaces what is there, one that it does not give stays; so the same document again changes nothing.
 */
export function planImport(body: unknown, options: PlanOptions): ImportPlan | Issue[] {
  if (!isObject(body)) return [{ path: '', message: 'must be an object with locations and sensors' }];
  const issues = Object.keys(body)
    .filter((name) => name !== 'locations' && name !== 'sensors')
    .map((name): Issue => ({ path: name, message: 'no such member; give locations and sensors' }));
  const plan: ImportPlan = { changes: [], locations: [], sensors: [] };
  const planned = planLocations(entriesOf(body, 'locations', issues), plan, issues, options);
  const location = (id: string) => planned.get(id) ?? options.registry.location(id);
  planSensors(entriesOf(body, 'sensors', issues), plan, issues, { ...options, directory: { location } });
  return issues.length > 0 ? issues : plan;
}

/** Answers all locations of the document, by id: sensors may be at those that are yet to come. */
function planLocations(
  given: readonly Given[],
  plan: ImportPlan,
  issues: Issue[],
  { registry, nowNs }: PlanOptions,
): Map<string, Location> {
  const planned = new Map<string, Location>();
  for (const { path, id, entry } of given) {
    const existing = registry.location(id);
    const document = existing ? { ...locationDeclaration(existing), ...entry } : entry;
    const read = readLocation(document, { id, existing, nowNs });
    if (Array.isArray(read)) {
      issues.push(...under(path, read));
      continue;
    }
    planned.set(id, read);
    const change = changeOf('location', existing, read, locationDeclaration);
    plan.changes.push(change);
    if (change.action !== 'none') plan.locations.push(read);
  }
  const directory = { location: (id: string) => planned.get(id) ?? registry.location(id) };
  for (const { path, id, entry } of given) issues.push(...under(path, parentIssues(id, entry, directory)));
  return planned;
}

function planSensors(
  given: readonly Given[],
  plan: ImportPlan,
  issues: Issue[],
  { registry, ...context }: PlanOptions & { directory: Pick<SensorDirectory, 'location'> },
): void {
  for (const { path, id, entry } of given) {
    const existing = registry.sensor(id);
    if (existing && existing.id !== id) {
      issues.push({ path: `${path}.id`, message: `is a former id of sensor ${existing.id}` });
      continue;
    }
    const document = existing ? { ...sensorDeclaration(existing), ...entry } : entry;
    const isNew = existing === undefined || existing.isSelfRegistered;
    const read = readSensor(document, { ...context, id, existing, isNew });
    if (Array.isArray(read)) {
      issues.push(...under(path, read));
      continue;
    }
    const change = changeOf('sensor', existing, read, sensorDeclaration);
    plan.changes.push(change);
    if (change.action !== 'none') plan.sensors.push(read);
  }
}

interface Given {
  path: string;
  id: string;
  entry: Record<string, unknown>;
}

/** The entries of a list that have an id of their own; what is wrong with the others goes to `issues`. */
function entriesOf(body: Record<string, unknown>, name: string, issues: Issue[]): Given[] {
  const list = body[name] ?? [];
  if (!Array.isArray(list)) {
    issues.push({ path: name, message: 'must be a list' });
    return [];
  }
  const ids = new Set<string>();
  return list.flatMap((entry: unknown, index): Given[] => {
    const path = `${name}.${index}`;
    if (!isObject(entry)) {
      issues.push({ path, message: 'must be an object' });
      return [];
    }
    const id = idMember.safeParse(entry.id);
    if (!id.success) issues.push({ path: `${path}.id`, message: id.error.issues[0]!.message });
    else if (ids.has(id.data)) issues.push({ path: `${path}.id`, message: `${id.data} is given twice` });
    else {
      ids.add(id.data);
      return [{ path, id: id.data, entry }];
    }
    return [];
  });
}

function changeOf<Entry extends { id: string; isSelfRegistered: boolean }>(
  type: ImportChange['type'],
  existing: Entry | undefined,
  next: Entry,
  declarationOf: (entry: Entry) => Record<string, unknown>,
): ImportChange {
  const { id } = next;
  const after = declarationOf(next);
  const before = existing ? declarationOf(existing) : {};
  const members = Object.keys(after).filter(
    (name) => JSON.stringify(after[name]) !== JSON.stringify(before[name]),
  );
  if (!existing) return { type, id, action: 'create', members: [] };
  const isChanged = members.length > 0 || existing.isSelfRegistered;
  return { type, id, action: isChanged ? 'update' : 'none', members };
}

function under(path: string, issues: readonly Issue[]): Issue[] {
  return issues.map((issue) => ({
    ...issue,
    path: issue.path === '' ? path : `${path}.${issue.path}`,
  }));
}
