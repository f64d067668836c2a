import { status } from '@grpc/grpc-js';
import { knownLocation, TidemarkError } from '@tidemark/core';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import type { ApiParts } from '../parts.ts';
import { invalidFields } from '../problem.ts';
import {
  createLocation,
  deleteLocation,
  foundLocation,
  writeLocation,
} from '../registry/change-locations.ts';
import { createSensor, deleteSensor, foundSensor, writeSensor } from '../registry/change-sensors.ts';
import { locationDeclaration } from '../registry/location-document.ts';
import { pageById } from '../registry/page-by-id.ts';
import { sensorDeclaration } from '../registry/sensor-document.ts';
import type { Calls } from './calls.ts';
import type {
  CreateLocationRequest,
  CreateSensorRequest,
  RegistryServiceServer,
  UpdateLocationRequest,
  UpdateSensorRequest,
} from './generated/tidemark/v1/registry_service.ts';
import {
  changedDocument,
  locationMembers,
  newDocument,
  sensorMembers,
  toLocationMessage,
  toSensorMessage,
} from './registry-message.ts';
import { toServiceError } from './status.ts';

const maxPageEntries = 1000;
const defaultPageEntries = 100;

/** `tidemark.v1.RegistryService`. */
export function registryService(parts: ApiParts, calls: Calls): RegistryServiceServer {
  return { ...sensorCalls(parts, calls), ...locationCalls(parts, calls) };
}

function sensorCalls(parts: ApiParts, calls: Calls) {
  const { registry, clock } = parts;
  return {
    listSensors: calls.unary(({ location, ...paging }: Paging & { location: string }) => {
      const nowNs = clock.nowNs();
      const matches = (sensor: Parameters<typeof knownLocation>[0]) =>
        location === '' || knownLocation(sensor, nowNs) === location;
      const { entries, ...page } = pageOf(registry.sensors(), matches, paging);
      return { ...page, sensors: entries.map((sensor) => toSensorMessage(sensor, nowNs)) };
    }),
    getSensor: calls.unary(({ id }: { id: string }) => ({
      sensor: toSensorMessage(foundSensor(registry, id), clock.nowNs()),
    })),
    createSensor: calls.unary(({ sensor: given }: CreateSensorRequest) => {
      const { id, ...message } = orMissing(given, 'sensor');
      const sensor = orTaken(() => createSensor(parts, newDocument(id, sensorMembers({ id, ...message }))));
      return { sensor: toSensorMessage(sensor, clock.nowNs()) };
    }),
    updateSensor: calls.unary(({ sensor: given, fields, ifVersion }: UpdateSensorRequest) => {
      const message = orMissing(given, 'sensor');
      const existing = foundSensor(registry, message.id);
      checkVersion(existing, ifVersion);
      const body = changedDocument(sensorDeclaration(existing), sensorMembers(message), fields);
      const sensor = writeSensor(parts, { id: existing.id, body, existing, isNew: false });
      return { sensor: toSensorMessage(sensor, clock.nowNs()) };
    }),
    deleteSensor: calls.unary(async ({ id, ifVersion, note }: Deletion, { actor }) => {
      const sensor = foundSensor(registry, id);
      checkVersion(sensor, ifVersion);
      await deleteSensor(parts, sensor, { data: 'kept', cause: { actor, note: note || undefined } });
      return {};
    }),
  };
}

function locationCalls(parts: ApiParts, calls: Calls) {
  const { registry } = parts;
  return {
    listLocations: calls.unary(({ parent, ...paging }: Paging & { parent: string }) => {
      const matches = (location: { parent: string | undefined }) =>
        parent === '' || location.parent === parent;
      const { entries, ...page } = pageOf(registry.locations(), matches, paging);
      return { ...page, locations: entries.map(toLocationMessage) };
    }),
    getLocation: calls.unary(({ id }: { id: string }) => ({
      location: toLocationMessage(foundLocation(registry, id)),
    })),
    createLocation: calls.unary(({ location: given }: CreateLocationRequest) => {
      const message = orMissing(given, 'location');
      const document = newDocument(message.id, locationMembers(message));
      return { location: toLocationMessage(orTaken(() => createLocation(parts, document))) };
    }),
    updateLocation: calls.unary(({ location: given, fields, ifVersion }: UpdateLocationRequest) => {
      const message = orMissing(given, 'location');
      const existing = foundLocation(registry, message.id);
      checkVersion(existing, ifVersion);
      const body = changedDocument(locationDeclaration(existing), locationMembers(message), fields);
      return { location: toLocationMessage(writeLocation(parts, { id: existing.id, body, existing })) };
    }),
    deleteLocation: calls.unary(({ id, ifVersion, note }: Deletion, { actor }) => {
      const location = foundLocation(registry, id);
      checkVersion(location, ifVersion);
      deleteLocation(parts, location, { actor, note: note || undefined });
      return {};
    }),
  };
}

interface Paging {
  pageSize: number;
  pageToken: string;
}

interface Deletion {
  id: string;
  ifVersion: bigint;
  note: string;
}

function pageOf<Entry extends { id: string }>(
  all: Iterable<Entry>,
  matches: (entry: Entry) => boolean,
  { pageSize, pageToken }: Paging,
) {
  if (pageSize > maxPageEntries)
    throw invalidFields([{ path: 'page_size', message: `must be at most ${maxPageEntries}` }]);
  const limit = pageSize === 0 ? defaultPageEntries : pageSize;
  const found = pageById(all, { after: readToken(pageToken), limit, matches });
  const entries = found.slice(0, limit);
  const nextPageToken = found.length > limit ? encodeCursor(entries.at(-1)!.id) : '';
  return { entries, count: entries.length, isEmpty: entries.length === 0, nextPageToken };
}

function readToken(token: string): string {
  if (token === '') return '';
  try {
    return decodeCursor(token, 1)[0]!;
  } catch {
    throw invalidFields([{ path: 'page_token', message: 'is not one that this list answered with' }]);
  }
}

function orMissing<Entry>(given: Entry | undefined, path: string): Entry {
  if (given === undefined) throw invalidFields([{ path, message: 'is missing' }]);
  return given;
}

/** An id that is taken has a code of its own here. */
function orTaken<Entry>(create: () => Entry): Entry {
  try {
    return create();
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'conflict')
      throw toServiceError(error, status.ALREADY_EXISTS);
    throw error;
  }
}

function checkVersion({ version }: { version: number }, ifVersion: bigint): void {
  if (ifVersion === 0n || ifVersion === BigInt(version)) return;
  const message = `if_version asks for ${ifVersion}; it is ${version} now`;
  throw new TidemarkError('precondition_failed', message, { issues: [{ path: 'if_version', message }] });
}
